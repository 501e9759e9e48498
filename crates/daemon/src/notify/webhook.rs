//! Telling people over HTTP.

use std::str::FromStr;
use std::time::Duration;

use adjutant_api::protocol::VERSION;
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::handshake;
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::Failed;

/// Where events are posted: an address that begins with `http://`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    uri: Uri,
    authority: String,
    host: String,
    port: u16,
}

impl FromStr for Webhook {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let uri: Uri = text.parse().map_err(|error| format!("is no address: {error}"))?;
        if uri.scheme_str() != Some("http") {
            return Err(
                "does not begin with `http://`; for others there is `command`, with curl for instance".to_owned()
            );
        }
        let authority = uri.authority().ok_or("names no host")?;
        if authority.as_str().contains('@') {
            return Err("holds a name or a password".to_owned());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err("names no host".to_owned());
        }
        let (port, authority) = (authority.port_u16().unwrap_or(80), authority.to_string());
        Ok(Self { uri, authority, host, port })
    }
}

impl Webhook {
    /// Posts an event; everything, from looking up the name to the answer, within this time.
    pub(super) async fn post(&self, event: &str, seq: u64, limit: Duration) -> Result<(), Failed> {
        match tokio::time::timeout(limit, self.try_post(event, seq)).await {
            Ok(done) => done,
            Err(_) => Err(Failed::passing(format!("no answer within {} ms", limit.as_millis()))),
        }
    }

    async fn try_post(&self, event: &str, seq: u64) -> Result<(), Failed> {
        let lost = |error: &dyn std::fmt::Display| Failed::passing(error.to_string());
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(|error| lost(&error))?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| lost(&error))?;
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let request = Request::post(path)
            .header("host", &self.authority)
            .header("content-type", "application/json")
            .header("user-agent", format!("adjutant/{VERSION}"))
            .header("idempotency-key", seq.to_string())
            .body(Full::new(Bytes::copy_from_slice(event.as_bytes())))
            .map_err(|error| Failed::lasting(error.to_string()))?;
        // The set ends the connection when this attempt is over, however it ends.
        let mut connections = JoinSet::new();
        connections.spawn(connection);
        let answer = sender.send_request(request).await.map_err(|error| lost(&error))?;
        judge(answer.status())
    }
}

/// What may pass is tried again; what the receiver refuses is not.
fn judge(status: StatusCode) -> Result<(), Failed> {
    let text = format!("it answered {}", status.as_u16());
    match status {
        status if status.is_success() => Ok(()),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Err(Failed::passing(text)),
        status if status.is_server_error() => Err(Failed::passing(text)),
        _ => Err(Failed::lasting(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_http_with_a_host_and_no_secrets() {
        let hook: Webhook = "http://127.0.0.1:8080/hook?x=1".parse().unwrap();
        assert_eq!((hook.host.as_str(), hook.port), ("127.0.0.1", 8080));
        let hook: Webhook = "http://[::1]/".parse().unwrap();
        assert_eq!((hook.host.as_str(), hook.port), ("::1", 80));
        for bad in ["https://x/", "x", "/hook", "http://a:b@x/", "http://", "ftp://x"] {
            assert!(bad.parse::<Webhook>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_may_pass_is_tried_again() {
        let again = |code: u16| judge(StatusCode::from_u16(code).unwrap()).err().map(|failed| failed.again);
        assert_eq!(
            [200, 204, 500, 503, 429, 408].map(again),
            [None, None, Some(true), Some(true), Some(true), Some(true)]
        );
        assert_eq!([400, 401, 404, 301].map(again), [Some(false); 4]);
    }
}
