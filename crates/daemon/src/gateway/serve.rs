//! One connection, and the requests on it.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adjutant_api::ErrorCode;
use adjutant_api::protocol::TOKEN_HEADER;
use adjutant_api::types::gateway::GatewayHealth;
use axum::Json;
use axum::body::Body;
use axum::http::header::{CONNECTION, CONTENT_LENGTH, RETRY_AFTER};
use axum::http::{HeaderValue, Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::lines::Line;
use super::seats::Seat;
use super::wire::Wire;
use super::{Gateway, gate};
use crate::http::error::Failure;
use crate::http::stream::told_to_end;
use crate::launch::token_hash;

/// Time for the head of a request, the wait for the next one on the same connection included.
const HEAD_MAX: Duration = Duration::from_secs(15);

/// Time for the whole body of a request.
const BODY_MAX: Duration = Duration::from_secs(30);

/// Longest head of a request, in bytes, and the most headers in it.
const HEAD_BYTES_MAX: usize = 64 * 1024;
const HEADERS_MAX: usize = 64;

/// How long a token from an address that is slowed down waits until the daemon is asked about it.
const ASKED_MAX: Duration = Duration::from_secs(10);

/// What is read of a body that is too large, so that its sender gets to hear why: so many bytes, for so long.
const DRAINED_BYTES_MAX: usize = 64 * 1024 * 1024;
const DRAINED_MAX: Duration = Duration::from_secs(2);

/// Who is connected.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    /// Its address, as it is shown.
    pub(super) shown: String,
    /// Under which wrong tokens of it are counted: of the sixth version the network, whose addresses are all one caller's.
    pub(super) counted: String,
    /// The address of ours that it has reached.
    pub(super) bound: Option<IpAddr>,
}

impl Peer {
    /// Whoever has connected over TCP from one address to another. An address of the fourth version is one of it, however a
    /// socket for both writes it.
    pub(super) fn of(from: IpAddr, bound: Option<IpAddr>) -> Self {
        let from = from.to_canonical();
        let counted = match from {
            IpAddr::V4(_) => from.to_string(),
            IpAddr::V6(from) => format!("{:x?}", &from.segments()[..4]),
        };
        Self { shown: from.to_string(), counted, bound: bound.map(|bound| bound.to_canonical()) }
    }

    /// A user who has connected to the socket.
    pub(super) fn user(id: &str) -> Self {
        let shown = format!("uid:{id}");
        Self { counted: shown.clone(), shown, bound: None }
    }
}

/// Serves a connection until either side, the bound on connections or the gateway ends it.
pub(super) async fn connection<S>(gateway: Arc<Gateway>, stream: S, peer: Peer)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let seat = gateway.seats.stranger();
    let mut ending = gateway.ending.subscribe();
    let service = service_fn(|request| {
        let (gateway, peer, seat) = (&gateway, &peer, &seat);
        async move { Ok::<_, Infallible>(gateway.answer(request, peer, seat).await) }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    let mut served = pin!(builder.serve_connection(TokioIo::new(Wire::new(stream)), service));
    tokio::select! {
        _ = served.as_mut() => return,
        () = seat.called_off() => return,
        () = told_to_end(&mut ending) => served.as_mut().graceful_shutdown(),
    }
    let _ = served.await;
}

impl Gateway {
    async fn answer(&self, request: Request<Incoming>, peer: &Peer, seat: &Seat) -> Response {
        let begun = Instant::now();
        let verb = request.method().clone();
        let method = gate::method_of(&verb, request.uri().path());
        let (mut answer, refused) = match self.checked(request, peer, seat).await {
            Ok(answer) => (answer, false),
            Err(failure) => (closing(failure), true),
        };
        self.count(refused);
        let token = answer.headers_mut().remove(TOKEN_HEADER);
        self.lines.request(&Line {
            verb: if verb.as_str().len() <= 8 { verb.as_str() } else { "?" },
            method,
            status: answer.status().as_u16(),
            took: begun.elapsed(),
            token: token.as_ref().and_then(|token| token.to_str().ok()).unwrap_or("-"),
            from: &peer.shown,
        });
        answer
    }

    async fn checked(&self, request: Request<Incoming>, peer: &Peer, seat: &Seat) -> Result<Response, Failure> {
        check_head(&request)?;
        gate::check_origin(request.headers(), request.uri(), &self.hosts, peer.bound)?;
        if request.uri().path() == "/health" && request.method() == Method::GET {
            return Ok(Json(GatewayHealth { ok: true }).into_response());
        }
        let token = gate::token(request.headers());
        if token.is_err() {
            self.failures.take(&peer.counted, Instant::now());
        }
        let token = token?.to_owned();
        let hash = token_hash(&token);
        self.admit(&token, &hash, request.body().is_end_stream(), peer, seat).await?;
        let (head, body) = request.into_parts();
        let body = self.whole(&hash, &head.headers, body).await?;
        let answer = self.pass(&head, body, &hash, &peer.shown).await?;
        self.learn(&hash, &answer, peer, seat);
        Ok(answer)
    }

    /// Lets a request in as long as it is one of not too many. A body is read from callers alone whose token is known.
    async fn admit(&self, token: &str, hash: &str, bodyless: bool, peer: &Peer, seat: &Seat) -> Result<(), Failure> {
        let now = Instant::now();
        if !self.known.has(hash, now) {
            let slowed = !self.failures.has(&peer.counted, now);
            if bodyless && !slowed {
                // The daemon says whether it is good, with the answer.
                return Ok(());
            }
            self.verify(token, hash, peer, slowed).await?;
        }
        if !self.requests.take(&hash.to_owned(), now) {
            return Err(Failure::new(ErrorCode::RateLimited, "too many requests with this token in a short time"));
        }
        if !self.unread.has_room(hash) {
            return Err(not_read());
        }
        match seat.is_guest_of(hash) {
            true => Ok(()),
            false => Err(Failure::new(ErrorCode::RateLimited, "too many connections are open with this token")),
        }
    }

    /// Asks the daemon whether a token is good. Where too many without one have come from the same address (`slowed`), only
    /// a few are asked about at once, and what is not good is called too much: whoever has a good token there is not kept out
    /// by those who have none.
    async fn verify(&self, token: &str, hash: &str, peer: &Peer, slowed: bool) -> Result<(), Failure> {
        let too_many =
            || Failure::new(ErrorCode::RateLimited, "too many requests without a good token have come from there");
        let _turn = match slowed {
            true => Some(tokio::time::timeout(ASKED_MAX, self.asked.acquire()).await.map_err(|_| too_many())?),
            false => None,
        };
        if self.is_good(token, &peer.shown).await? {
            self.known.good(hash, Instant::now());
            return Ok(());
        }
        if slowed {
            return Err(too_many());
        }
        self.failures.take(&peer.counted, Instant::now());
        let message = "the token is not good: it has ended, was revoked, or never was one of this host's";
        Err(Failure::new(ErrorCode::Unauthorized, message).with_hint("adj gateway token create"))
    }

    /// What the daemon's answer says of a token.
    fn learn(&self, hash: &str, answer: &Response, peer: &Peer, seat: &Seat) {
        let now = Instant::now();
        if answer.status() == StatusCode::UNAUTHORIZED {
            self.known.bad(hash);
            self.failures.take(&peer.counted, now);
        } else if answer.headers().contains_key(TOKEN_HEADER) {
            self.known.good(hash, now);
            seat.is_guest_of(hash);
        }
    }

    /// The body, bounded in size and time, and in what those of its token and all together may take.
    async fn whole(&self, token: &str, headers: &axum::http::HeaderMap, body: Incoming) -> Result<Bytes, Failure> {
        if body.is_end_stream() {
            return Ok(Bytes::new());
        }
        let said = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if said.is_some_and(|said| said > self.body_bytes_max) {
            drain(body).await;
            return Err(self.too_large(said));
        }
        let read = async {
            let _room = self.bodies.room(token, said.unwrap_or(self.body_bytes_max)).await;
            let read = Limited::new(body, self.body_bytes_max).collect().await;
            read.map(http_body_util::Collected::to_bytes).map_err(|error| match error.is::<LengthLimitError>() {
                true => self.too_large(None),
                false => Failure::new(ErrorCode::Usage, "the body could not be read"),
            })
        };
        let late = || Failure::new(ErrorCode::Usage, format!("the body was not there within {BODY_MAX:?}")).too_slow();
        tokio::time::timeout(BODY_MAX, read).await.unwrap_or_else(|_| Err(late()))
    }

    fn too_large(&self, said: Option<usize>) -> Failure {
        let message = format!("the body is larger than {} bytes", self.body_bytes_max);
        let failure = Failure::new(ErrorCode::MessageTooLarge, message);
        failure.with_detail("bytes", said).with_detail("limit", self.body_bytes_max)
    }
}

/// The server refuses a head that is much too large by itself; the bound is held here.
fn check_head(request: &Request<Incoming>) -> Result<(), Failure> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let headers = request.headers();
    let bytes = target + headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum::<usize>();
    if bytes <= HEAD_BYTES_MAX {
        return Ok(());
    }
    let message = format!("the head of the request is larger than {HEAD_BYTES_MAX} bytes");
    Err(Failure::new(ErrorCode::Usage, message).head_too_large())
}

/// The caller first has to read what it has asked for.
pub(super) fn not_read() -> Failure {
    Failure::new(ErrorCode::RateLimited, "too many bytes of answers have not been read yet")
}

/// Reads on for a moment: a connection that is closed on what was not read takes the answer with it.
async fn drain(body: Incoming) {
    let read = async {
        let mut body = Limited::new(body, DRAINED_BYTES_MAX);
        while let Some(Ok(_)) = body.frame().await {}
    };
    let _ = tokio::time::timeout(DRAINED_MAX, read).await;
}

/// A request that was refused is the last one on its connection.
fn closing(failure: Failure) -> Response {
    let limited = failure.body.code == ErrorCode::RateLimited;
    let mut answer = failure.into_response();
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    if limited {
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    answer.map(Body::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_same_however_it_is_written() {
        let peer = |from: &str, bound: &str| Peer::of(from.parse().unwrap(), bound.parse().ok());
        let mapped = peer("::ffff:10.1.2.3", "::ffff:127.0.0.1");
        assert_eq!((mapped.shown.as_str(), mapped.counted.as_str()), ("10.1.2.3", "10.1.2.3"));
        assert_eq!(mapped.bound, Some([127, 0, 0, 1].into()));
        let (one, other) = (peer("2001:db8:0:1::1", "::1"), peer("2001:db8:0:1:ffff::2", "::1"));
        assert_eq!(one.counted, other.counted);
        assert_ne!(one.counted, peer("2001:db8:0:2::1", "::1").counted);
        assert_eq!(one.shown, "2001:db8:0:1::1");
    }
}
