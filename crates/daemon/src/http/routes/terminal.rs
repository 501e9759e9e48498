//! The terminal of a session: a switch of protocols, and then bytes in both directions.

use adjutant_agents::Sitting;
use adjutant_agents::runner::View;
use adjutant_api::ErrorCode;
use adjutant_api::protocol::TERMINAL_UPGRADE;
use adjutant_api::types::session::TerminalQuery;
use adjutant_core::{Host, Right};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONNECTION, UPGRADE};
use axum::response::Response;

use super::attach;
use crate::http::App;
use crate::http::call::of_door;
use crate::http::error::Failure;
use crate::http::resolve::{self, Rule};

/// Size of a viewer that does not tell its own.
const COLUMNS_DEFAULT: u16 = 80;
const ROWS_DEFAULT: u16 = 24;

/// `GET /v1/sessions/{id}/terminal`
pub(super) async fn terminal(
    State(app): State<App>,
    axum::extract::Path(id): axum::extract::Path<String>,
    mut request: Request,
) -> Result<Response, Failure> {
    let query: TerminalQuery = adjutant_api::query::from_query(request.uri().query().unwrap_or_default())
        .map_err(|error| Failure::new(ErrorCode::Usage, error.to_string()))?;
    let view = View {
        columns: query.columns.unwrap_or(COLUMNS_DEFAULT),
        rows: query.rows.unwrap_or(ROWS_DEFAULT),
        read_only: query.read_only,
    };
    let wants = request.headers().get(UPGRADE).and_then(|value| value.to_str().ok());
    if wants != Some(TERMINAL_UPGRADE) {
        return Err(Failure::new(ErrorCode::Usage, format!("this path is for an upgrade to {TERMINAL_UPGRADE}")));
    }
    let caller = of_door(request.extensions_mut())?.caller;
    let id = app.look(move |host| resolve::allowed(host, &id, caller, Rule::Change, Right::Steer)).await??;
    let look = move |host: &Host| {
        let session = host.session(id).ok_or_else(|| Failure::gone(id))?;
        if session.has_exited() {
            return Err(Failure::new(ErrorCode::SessionExited, format!("{} has exited", session.name)));
        }
        if !host.capabilities(session).is_some_and(|c| c.terminal) {
            return Err(Failure::new(ErrorCode::NotSupported, format!("{} has no terminal", session.name)));
        }
        let runner = session.processes.as_ref().map(|p| p.runner);
        runner
            .map(|runner| (session.revivals, runner))
            .ok_or_else(|| Failure::new(ErrorCode::SessionExited, "its process is not known yet"))
    };
    let (life, runner) = app.look(look).await??;
    let View { columns, rows, read_only } = view;
    attach::lend(&app, id, Sitting { columns, rows, read_only }).await?;
    let place = app.places.of_life(id, life);
    let mut far = adjutant_agents::runner::open_terminal(&place, &runner, view).await.map_err(|error| {
        Failure::new(ErrorCode::OutcomeUnknown, format!("the session's runner cannot be reached: {error}"))
    })?;
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            let mut near = hyper_util::rt::TokioIo::new(upgraded);
            let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
        }
    });
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(CONNECTION, "upgrade")
        .header(UPGRADE, TERMINAL_UPGRADE)
        .body(Body::empty())
        .map_err(|error| Failure::internal(error.to_string()))
}
