//! Routes, one file per resource. Every path and verb comes from the table of methods.

mod answers;
mod asked;
mod attach;
mod bounds;
mod create;
mod daemon;
mod environment;
mod events;
mod goals;
mod heard;
mod hooks;
mod interrupt;
mod introduce;
mod kill;
mod log;
mod messages;
mod placed;
mod projects;
mod queue;
mod requests;
mod sessions;
mod terminal;
mod tokens;
mod wait;
mod wake;
mod whoami;
mod workspaces;

use adjutant_api::methods::{self, HttpVerb, Method};
use axum::Router;
use axum::handler::Handler;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter, on};

use super::App;
use super::authority::{self, Door};

/// All routes, without state.
pub(super) fn table(app: &App) -> Router<App> {
    Routes { router: Router::new(), app: app.clone() }
        .add(&methods::HEALTH, daemon::health)
        .add(&methods::OPENAPI, daemon::openapi)
        .add(&methods::DAEMON_STATUS, daemon::status)
        .add(&methods::DAEMON_STOP, daemon::stop)
        .add(&methods::DAEMON_CHECK, daemon::check)
        .add(&methods::WHOAMI, whoami::whoami)
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
        .add(&methods::INTRODUCE, introduce::introduce)
        .add(&methods::TOKENS, tokens::list)
        .add(&methods::TOKEN_CREATE, tokens::create)
        .add(&methods::TOKEN_REVOKE, tokens::revoke)
        .router
}

struct Routes {
    router: Router<App>,
    app: App,
}

impl Routes {
    /// A method with its handler behind its door.
    fn add<H, T>(self, method: &'static Method, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        let door = Door { app: self.app.clone(), method };
        let route: MethodRouter<App> = on(filter(method.verb), handler);
        let route = route.route_layer(from_fn_with_state(door, authority::enter));
        Self { router: self.router.route(method.path, route), app: self.app }
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
