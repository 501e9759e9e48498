//! Stands in for `adj runner` in the tests of this crate, and for an app-server with faults.

mod app_server;

use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.as_slice() {
        [verb, session] if verb == "runner" && session.len() == 36 => adjutant_agents::runner::runner_main(),
        [verb, flag, listen] if verb == "app-server" && flag == "--listen" => match app_server::serve(listen) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        _ => ExitCode::from(2),
    }
}
