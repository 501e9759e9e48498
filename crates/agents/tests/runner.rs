//! Stands in for `adj runner` in the tests of this crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.as_slice() {
        [verb, session] if verb == "runner" && session.len() == 36 => adjutant_agents::runner::runner_main(),
        _ => ExitCode::from(2),
    }
}
