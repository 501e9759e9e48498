//! What a running gateway says of itself, on a socket of the owner's alone.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use adjutant_api::protocol::VERSION;
use adjutant_api::types::gateway::GatewayStatus;
use adjutant_api::{ErrorBody, ErrorCode};
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use tokio::net::UnixStream;
use tokio::task::JoinHandle;

use super::Gateway;
use crate::listen::OwnerListener;

/// Answers whoever asks, until it is ended.
pub(super) fn serve(gateway: &Arc<Gateway>) -> Result<JoinHandle<()>, ErrorBody> {
    let path = gateway.home.gateway_socket();
    let listener = OwnerListener::bind(&path).map_err(|e| {
        ErrorBody::new(ErrorCode::StateDirUnusable, format!("cannot listen on {}: {e}", path.display()))
    })?;
    let router = Router::new().route("/status", get(status)).with_state(Arc::clone(gateway));
    Ok(tokio::spawn(async move {
        let _ = axum::serve(listener, router).await;
    }))
}

async fn status(State(gateway): State<Arc<Gateway>>) -> Json<GatewayStatus> {
    Json(GatewayStatus {
        pid: std::process::id(),
        version: VERSION.to_owned(),
        addresses: gateway.addresses.clone(),
        port: gateway.port,
        uptime_ms: u64::try_from(gateway.started.elapsed().as_millis()).unwrap_or(u64::MAX),
        connections: gateway.seats.count() as u64,
        requests: gateway.answered.load(Ordering::Relaxed),
        refused: gateway.refused.load(Ordering::Relaxed),
        daemon: UnixStream::connect(&gateway.home.socket).await.is_ok(),
    })
}
