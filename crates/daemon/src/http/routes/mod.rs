//! Routes, one file per resource. Every path and verb comes from the table of methods.

mod answers;
mod asked;
mod attach;
mod create;
mod daemon;
mod environment;
mod events;
mod goals;
mod heard;
mod hooks;
mod interrupt;
mod kill;
mod log;
mod messages;
mod placed;
mod projects;
mod queue;
mod ready;
mod requests;
mod revive;
mod sessions;
mod terminal;
mod wait;
mod wake;
mod workspaces;

use adjutant_api::methods::{self, HttpVerb, Method};
use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter, on};

use super::App;

/// All routes, without state.
pub(super) fn table() -> Router<App> {
    Routes(Router::new())
        .add(&methods::HEALTH, daemon::health)
        .add(&methods::OPENAPI, daemon::openapi)
        .add(&methods::DAEMON_STATUS, daemon::status)
        .add(&methods::DAEMON_STOP, daemon::stop)
        .add(&methods::DAEMON_CHECK, daemon::check)
        .add(&methods::WHOAMI, sessions::whoami)
        .add(&methods::SESSIONS, sessions::list)
        .add(&methods::CREATE, create::create)
        .add(&methods::KILL, kill::kill)
        .add(&methods::SESSION, sessions::show)
        .add(&methods::EXPLAIN, sessions::explain)
        .add(&methods::INSPECT, sessions::inspect)
        .add(&methods::MESSAGES, messages::list)
        .add(&methods::SEND, messages::send)
        .add(&methods::CLEAR, queue::clear)
        .add(&methods::WAKE, wake::wake)
        .add(&methods::MESSAGE, messages::show)
        .add(&methods::EDIT, queue::edit)
        .add(&methods::REMOVE, queue::remove)
        .add(&methods::RETRY, queue::retry)
        .add(&methods::HOLD, queue::hold)
        .add(&methods::RELEASE, queue::release)
        .add(&methods::INTERRUPT, interrupt::interrupt)
        .add(&methods::ANSWERS, answers::answers)
        .add(&methods::TURNS, answers::turns)
        .add(&methods::LOG, log::log)
        .add(&methods::TERMINAL, terminal::terminal)
        .add(&methods::ATTACH, attach::attach)
        .add(&methods::GOAL, goals::show)
        .add(&methods::SET_GOAL, goals::set)
        .add(&methods::HOOK, hooks::hook)
        .add(&methods::REQUESTS, requests::list)
        .add(&methods::RESPOND, requests::respond)
        .add(&methods::WAIT, wait::wait)
        .add(&methods::EVENTS, events::events)
        .add(&methods::PROJECTS, projects::list)
        .add(&methods::PROJECT_ADD, projects::add)
        .add(&methods::PROJECT_REMOVE, projects::remove)
        .add(&methods::WORKSPACES, workspaces::list)
        .add(&methods::WORKSPACE_DIFF, workspaces::diff)
        .add(&methods::WORKSPACE_LAND, workspaces::land)
        .add(&methods::WORKSPACE_CLEAN, workspaces::clean)
        .0
}

struct Routes(Router<App>);

impl Routes {
    fn add<H, T>(self, method: &Method, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        let route: MethodRouter<App> = on(filter(method.verb), handler);
        Self(self.0.route(method.path, route))
    }
}

fn filter(verb: HttpVerb) -> MethodFilter {
    match verb {
        HttpVerb::Get => MethodFilter::GET,
        HttpVerb::Post => MethodFilter::POST,
        HttpVerb::Patch => MethodFilter::PATCH,
        HttpVerb::Delete => MethodFilter::DELETE,
    }
}
