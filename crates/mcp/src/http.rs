//! The server on loopback, for clients that speak HTTP. Its address holds a secret: there is no way in without it.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use adjutant_api::{ErrorBody, ErrorCode};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::server::Tools;
use crate::{Caller, limits};

type Inner = TowerToHyperService<StreamableHttpService<Tools, LocalSessionManager>>;

/// Serves on this port of loopback, any that is free for 0, until it is dropped. `ready` is told the address, once.
///
/// # Errors
/// `port_in_use`, or what the system says.
pub async fn serve_http(
    caller: Caller,
    port: u16,
    ready: impl FnOnce(&str) -> Result<(), ErrorBody>,
) -> Result<(), ErrorBody> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let listener = listener.await.map_err(|error| not_bound(port, &error))?;
    let port = listener.local_addr().map_err(|error| internal(&error))?.port();
    let path = format!("/{}/mcp", secret()?);
    ready(&format!("http://127.0.0.1:{port}{path}"))?;
    let inner = TowerToHyperService::new(service(caller, port));
    let path: Arc<str> = path.into();
    let places = Arc::new(Semaphore::new(limits::CONNECTIONS_MAX));
    loop {
        let place = Arc::clone(&places).acquire_owned().await.map_err(|error| internal(&error))?;
        let (stream, _) = listener.accept().await.map_err(|error| internal(&error))?;
        let (inner, path) = (inner.clone(), Arc::clone(&path));
        tokio::spawn(async move {
            serve_connection(stream, inner, path).await;
            drop(place);
        });
    }
}

/// `Host` and `Origin` are checked there: no name but loopback's, and no page but our own, of which there are none.
fn service(caller: Caller, port: u16) -> StreamableHttpService<Tools, LocalSessionManager> {
    let names = ["127.0.0.1", "localhost"];
    let config = StreamableHttpServerConfig::default()
        .with_allowed_hosts(names.map(|name| format!("{name}:{port}")))
        .with_allowed_origins(names.map(|name| format!("http://{name}:{port}")))
        .with_max_request_body_bytes(limits::REQUEST_BYTES_MAX);
    StreamableHttpService::new(move || Ok(Tools::new(caller.clone())), Arc::default(), config)
}

/// A connection that breaks is its client's affair.
async fn serve_connection(stream: TcpStream, inner: Inner, path: Arc<str>) {
    let service = service_fn(move |request| answer(inner.clone(), Arc::clone(&path), request));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HEAD)
        .serve_connection(TokioIo::new(stream), service);
    drop(served.await);
}

async fn answer(
    inner: Inner,
    path: Arc<str>,
    request: Request<Incoming>,
) -> Result<Response<BoxBody<Bytes, Infallible>>, Infallible> {
    if is_same(request.uri().path().as_bytes(), path.as_bytes()) {
        return inner.call(request).await;
    }
    let told = ErrorBody::new(ErrorCode::Unauthorized, "this address has no such path").to_json_line();
    let mut refused = Response::new(Full::new(Bytes::from(told)).boxed());
    *refused.status_mut() = StatusCode::NOT_FOUND;
    refused.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    Ok(refused)
}

/// Compares in a time that says nothing of where the difference is.
fn is_same(given: &[u8], wanted: &[u8]) -> bool {
    let different = given.iter().zip(wanted).fold(0, |different, (a, b)| different | (a ^ b));
    given.len() == wanted.len() && different == 0
}

fn secret() -> Result<String, ErrorBody> {
    let mut bytes = [0; limits::SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| internal(&error))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn not_bound(port: u16, error: &io::Error) -> ErrorBody {
    if error.kind() == io::ErrorKind::AddrInUse {
        let taken = ErrorBody::new(ErrorCode::PortInUse, format!("port {port} of 127.0.0.1 is taken"));
        return taken.with_hint("adj mcp --http");
    }
    internal(error)
}

fn internal(error: &dyn std::fmt::Display) -> ErrorBody {
    ErrorBody::new(ErrorCode::Internal, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_the_secret_is_not_the_secret() {
        assert!(is_same(b"/ab/mcp", b"/ab/mcp"));
        assert!(!is_same(b"/ab/mc", b"/ab/mcp") && !is_same(b"/ac/mcp", b"/ab/mcp") && !is_same(b"", b"/ab/mcp"));
        assert_eq!(secret().unwrap().len(), 2 * limits::SECRET_BYTES);
    }
}
