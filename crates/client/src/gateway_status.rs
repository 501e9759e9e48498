//! What a running gateway says of itself, on the socket that is its owner's alone.

use adjutant_api::home::Home;
use adjutant_api::types::gateway::GatewayStatus;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, header};
use tokio::time::timeout;

use crate::connect::{LOCALHOST, Link, connect, lost};
use crate::error::ClientError;
use crate::limits;

/// Asks the gateway of a home how it is; `None` when none runs.
///
/// # Errors
/// What went wrong with a gateway that is there.
pub async fn gateway_status(home: &Home) -> Result<Option<GatewayStatus>, ClientError> {
    let Some(stream) = connect(&home.gateway_socket()).await? else { return Ok(None) };
    let mut link = Link::over(stream, LOCALHOST).await?;
    let request = Request::get("/status").header(header::HOST, LOCALHOST).body(Full::<Bytes>::default());
    let request = request.map_err(|error| malformed(&error))?;
    let asked = async {
        let answer = link.send(request).await?;
        let body = Limited::new(answer.into_body(), limits::ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| lost(&*error, false))?.to_bytes();
        serde_json::from_slice(&body).map(Some).map_err(|error| malformed(&error))
    };
    let seconds = limits::ANSWER.as_secs();
    timeout(limits::ANSWER, asked).await.unwrap_or(Err(ClientError::Deadline { seconds, in_doubt: false }))
}

fn malformed(error: &dyn std::error::Error) -> ClientError {
    ClientError::Malformed { detail: error.to_string() }
}
