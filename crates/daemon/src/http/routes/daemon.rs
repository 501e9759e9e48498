//! The daemon itself.

use std::time::Duration;

use adjutant_api::protocol::{PROTOCOL, VERSION};
use adjutant_api::types::daemon::{
    Check, CheckDaemon, CheckStatus, DaemonStatus, Health, SessionCounts, StopDaemon, Stopping,
};
use adjutant_api::{ErrorCode, openapi as document};
use adjutant_core::Host;
use adjutant_core::session::Status;
use adjutant_store::Verification;
use axum::Json;
use serde_json::Value;

use crate::http::call::Incoming;
use crate::http::error::Failure;

/// `GET /v1/health`
pub(super) async fn health(_call: Incoming) -> Json<Health> {
    Json(Health { ok: true, version: VERSION.to_owned(), protocol: PROTOCOL })
}

/// `GET /v1/openapi.json`
pub(super) async fn openapi(_call: Incoming) -> Json<Value> {
    Json(document::document())
}

/// `GET /v1/daemon`
pub(super) async fn status(call: Incoming) -> Result<Json<DaemonStatus>, Failure> {
    let home = &call.app.home;
    let sessions = call.app.look(counts).await?;
    Ok(Json(DaemonStatus {
        pid: std::process::id(),
        version: VERSION.to_owned(),
        protocol: PROTOCOL,
        socket: home.socket.display().to_string(),
        state_dir: home.state.display().to_string(),
        uptime_ms: u64::try_from(call.app.started.elapsed().as_millis()).unwrap_or(u64::MAX),
        sessions,
        streams: call.app.streams.count() as u64,
        degraded: unwritable(&call).map(|why| format!("the store cannot be written: {why}")).into_iter().collect(),
    }))
}

fn unwritable(call: &Incoming) -> Option<String> {
    call.app.unwritable.borrow().clone()
}

fn counts(host: &Host) -> SessionCounts {
    let mut counts = SessionCounts { live: 0, working: 0, waiting_for_input: 0, unknown: 0, exited: 0 };
    for session in host.sessions() {
        let status = session.status();
        counts.live += u64::from(status != Status::Exited);
        counts.working += u64::from(status == Status::Working);
        counts.waiting_for_input += u64::from(status == Status::WaitingForInput);
        counts.unknown += u64::from(status == Status::Unknown);
        counts.exited += u64::from(status == Status::Exited);
    }
    counts
}

/// `POST /v1/daemon/stop`
pub(super) async fn stop(call: Incoming) -> Result<Json<Stopping>, Failure> {
    let wanted: StopDaemon = call.body()?;
    if wanted.drain {
        drained(&call, wanted.timeout_ms).await?;
    } else if !wanted.force {
        let working = call.app.look(at_work).await?;
        if !working.is_empty() {
            let message = format!("{} sessions are at work: {}", working.len(), working.join(", "));
            let failure = Failure::new(ErrorCode::SessionsWorking, message).with_hint("adj daemon stop --drain");
            return Err(failure.with_detail("sessions", working));
        }
    }
    let sessions = call.app.look(|host| host.sessions().filter(|s| !s.has_exited()).count() as u64).await?;
    let _ = call.app.ending.send(true);
    Ok(Json(Stopping { pid: std::process::id(), sessions }))
}

fn at_work(host: &Host) -> Vec<String> {
    let busy = host.sessions().filter(|s| !s.has_exited() && (s.turn().is_some() || s.delivering().is_some()));
    busy.map(|session| session.name.to_string()).collect()
}

/// Waits until no session is at work.
async fn drained(call: &Incoming, timeout_ms: Option<u64>) -> Result<(), Failure> {
    let mut follower = crate::http::follow::Follower::live(&call.app, Vec::new());
    let idle = async {
        while !call.app.look(at_work).await?.is_empty() {
            follower.next().await?;
        }
        Ok(())
    };
    match timeout_ms {
        None => idle.await,
        Some(limit) => tokio::time::timeout(Duration::from_millis(limit), idle).await.unwrap_or_else(|_| {
            Err(Failure::new(ErrorCode::Timeout, format!("sessions are still at work after {limit} ms")))
        }),
    }
}

/// `POST /v1/daemon/check`
pub(super) async fn check(call: Incoming) -> Result<Json<Vec<Check>>, Failure> {
    let _wanted: CheckDaemon = call.body()?;
    let damage = call.app.read(|reader| reader.check()).await?;
    let difference = call.app.read(|reader| reader.verify_projections()).await?;
    Ok(Json(vec![
        entry("disk", unwritable(&call).into_iter().collect(), "the store can be written", None),
        entry("store", damage, "the store's pages and indexes are whole", Some("adj doctor --repair")),
        entry("log", flaws(&difference), "the log folded anew equals the projections", Some("adj doctor --rebuild")),
    ]))
}

fn flaws(found: &Verification) -> Vec<String> {
    let told = found.differences.iter().map(|difference| format!("{} differs from the log", difference.record));
    let more = found.different.saturating_sub(found.differences.len() as u64);
    told.chain((more > 0).then(|| format!("and {more} more"))).collect()
}

fn entry(name: &str, flaws: Vec<String>, good: &str, hint: Option<&str>) -> Check {
    if flaws.is_empty() {
        return Check { check: name.to_owned(), status: CheckStatus::Ok, detail: good.to_owned(), hint: None };
    }
    let detail = flaws.join("; ");
    let hint = hint.map(str::to_owned);
    Check { check: name.to_owned(), status: CheckStatus::Failed, detail, hint }
}
