//! Requests: what agents ask, and the answers.

use std::time::Duration;

use adjutant_api::ErrorCode;
use adjutant_api::types::request::{AnswerRequest, Decision, Request as WireRequest, RequestsQuery, Responded};
use adjutant_core::agent::RequestEnd;
use adjutant_core::call::Call;
use adjutant_core::event::Event;
use adjutant_core::session::Session;
use adjutant_core::{Host, RequestId, Right};
use axum::Json;

use crate::http::call::Incoming;
use crate::http::error::Failure;
use crate::http::follow::{Follower, known};
use crate::http::{decision, resolve, to_api};

/// Time for the agent's side to confirm an answer, in milliseconds; then nobody knows whether it arrived.
const CONFIRM_MS_MAX: u64 = 10_000;

/// `GET /v1/requests`
pub(super) async fn list(call: Incoming) -> Result<Json<Vec<WireRequest>>, Failure> {
    let query: RequestsQuery = call.query()?;
    let caller = call.caller;
    let look = move |host: &Host| {
        let find = |text: &Option<String>| {
            text.as_deref().map(|t| resolve::allowed(host, t, caller, resolve::Rule::Read, Right::See)).transpose()
        };
        let (one, root) = (find(&query.session)?, find(&query.tree)?);
        let wanted = |session: &&Session| {
            host.may(caller, session, Right::See)
                && one.is_none_or(|one| session.id == one)
                && root.is_none_or(|root| session.id == root || host.descends(session.id, root))
                && query.cli.as_deref().is_none_or(|cli| session.profile.agent.as_str() == cli)
        };
        let open = host
            .sessions()
            .filter(wanted)
            .flat_map(|s| s.requests().map(move |r| (r.opened_at, to_api::request(s, r))));
        let mut open: Vec<_> = open.collect();
        open.sort_by_key(|(opened_at, _)| *opened_at);
        Ok(open.into_iter().map(|(_, request)| request).collect())
    };
    call.app.look(look).await?.map(Json)
}

/// `POST /v1/requests/{r}/answer`
pub(super) async fn respond(call: Incoming) -> Result<Json<Responded>, Failure> {
    let id = resolve::request_id(call.parameter("r"))?;
    let wanted: AnswerRequest = call.body()?;
    let find = move |host: &Host| {
        let owner = host.by_request(id)?;
        let request = owner.request(id)?;
        Some((owner.id, request.clone(), to_api::request(owner, request)))
    };
    let found = call.app.look(find).await?;
    let Some((session, request, shown)) = found else { return Err(not_open(&call, id).await?) };
    super::bounds::check_answer(&call, session, &request).await?;
    let answer = decision::decide(&request, wanted)?;
    let decision = Decision::from(answer.word());
    let mut follower = Follower::live(&call.app, vec![session]);
    call.app.supervisor.call(call.caller, Call::Respond { request: id, answer }).await?;
    confirmed(&mut follower, id).await?;
    let caller = call.caller;
    let by = call.app.look(move |host| to_api::name_of(host, caller)).await?;
    Ok(Json(Responded { request: shown, decision, by }))
}

/// A request that was asked once and is closed is not the same as one that never was.
async fn not_open(call: &Incoming, id: RequestId) -> Result<Failure, Failure> {
    let known = call.app.look(move |host| id.get() < host.counters().next_request).await?;
    let (code, what) = match known {
        true => (ErrorCode::RequestNotPending, "is no longer open"),
        false => (ErrorCode::RequestNotFound, "was never asked"),
    };
    Ok(Failure::new(code, format!("{id} {what}")))
}

/// Only an answer that reached the agent is one. Another may have been first, or there may be nobody left to take it.
fn reached(request: RequestId, end: &RequestEnd) -> Result<(), Failure> {
    let why = match end {
        RequestEnd::Answered => return Ok(()),
        RequestEnd::AnsweredThere => "was answered at the agent's own terminal first",
        RequestEnd::Withdrawn => "was withdrawn before the answer reached the agent",
    };
    Err(Failure::new(ErrorCode::RequestNotPending, format!("{request} {why}")))
}

async fn confirmed(follower: &mut Follower, wanted: RequestId) -> Result<(), Failure> {
    let closed = async {
        loop {
            match known(&*follower.next().await?) {
                Some(Event::RequestClosed { request, end }) if *request == wanted => return reached(wanted, end),
                _other => {}
            }
        }
    };
    tokio::time::timeout(Duration::from_millis(CONFIRM_MS_MAX), closed).await.unwrap_or_else(|_| {
        let message = format!("the agent has not confirmed the answer to {wanted} within {CONFIRM_MS_MAX} ms");
        Err(Failure::new(ErrorCode::OutcomeUnknown, message))
    })
}
