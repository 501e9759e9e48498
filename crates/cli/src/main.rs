//! `adj`: spawn, message, wait on, watch, wake, answer and stop coding-agent sessions.

mod app;
mod commands;
mod config;
mod context;
mod detach;
mod details;
mod documents;
mod drop_in;
mod duration;
mod error;
mod globals;
mod grammar;
mod help;
mod hosts;
mod house;
mod message;
mod near;
mod notify;
mod parse;
mod project;
mod result;
mod runtime;
mod sandbox;
mod screen;
mod skills;
mod table;
mod translate;
mod ui;
mod value;
mod variables;
mod way;

fn main() -> std::process::ExitCode {
    let mut words = std::env::args_os();
    let program = words.next();
    let tokens = words.collect();
    app::run(if drop_in::is_called(program.as_deref()) { drop_in::translated(tokens) } else { tokens })
}
