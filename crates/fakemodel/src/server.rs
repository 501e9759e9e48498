//! The server: one thread, every dialect, one record.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Request as HttpRequest, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::{mpsc, oneshot};

use crate::dialect::{self, Answer, Asked, Dialect, Frame};
use crate::gates::Gates;
use crate::limits::{BODY_BYTES_MAX, FRAMES_WAITING_MAX};
use crate::record::{Answered, Recorder, Request, now_ms};
use crate::script::Book;
use crate::tries::Tries;

/// The path under which a gate is opened by its name.
const OPEN: &str = "/fake/open/";

/// How a server is to be.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens; port 0 for any that is free. Loopback is meant.
    pub address: SocketAddr,
    /// What it plays where the user's text has no marker.
    pub book: Book,
    /// A file to which a line of JSON is added for every request.
    pub log: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self { address: SocketAddr::from(([127, 0, 0, 1], 0)), book: Book::default(), log: None }
    }
}

/// Why a server cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It cannot listen.
    #[error("cannot listen at {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The log cannot be opened, or no thread can be made.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    house: Arc<House>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Debug)]
struct House {
    dialects: Dialects,
    book: Book,
    recorder: Recorder,
    gates: Gates,
    tries: Tries,
    log: Option<crate::log::Log>,
}

struct Dialects(Vec<Arc<dyn Dialect>>);

impl std::fmt::Debug for Dialects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|dialect| dialect.name())).finish()
    }
}

impl Server {
    /// Starts a server on a thread of its own.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start(options: Options) -> Result<Self, StartError> {
        let Options { address, book, log } = options;
        let listen = |source| StartError::Listen { address, source };
        let listener = std::net::TcpListener::bind(address).map_err(listen)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let log = log.map(crate::log::Log::open).transpose()?;
        let house = Arc::new(House {
            dialects: Dialects(dialect::all()),
            book,
            recorder: Recorder::default(),
            gates: Gates::default(),
            tries: Tries::default(),
            log,
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&house);
        let serve = move || runtime.block_on(serve(listener, served, stopped));
        let thread = std::thread::Builder::new().name("fake-model".to_owned()).spawn(serve)?;
        Ok(Self { address, house, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its base address, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it has seen.
    pub fn recorder(&self) -> &Recorder {
        &self.house.recorder
    }

    /// Opens a gate: answers that wait at it, or come to it later, go on.
    pub fn open(&self, gate: &str) {
        self.house.gates.open(gate);
    }

    /// Waits until an answer has come to a gate; false where none does in that time.
    pub fn await_held(&self, gate: &str, limit: Duration) -> bool {
        self.house.gates.await_reached(gate, limit)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        // Answers that hang are cut: the runtime goes with its thread.
        self.thread.take().map(std::thread::JoinHandle::join);
    }
}

async fn serve(listener: std::net::TcpListener, house: Arc<House>, stopped: oneshot::Receiver<()>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let app = axum::Router::new().fallback(take).with_state(house);
    tokio::select! {
        served = async { axum::serve(listener, app).await } => drop(served),
        _ = stopped => {}
    }
}

async fn take(State(house): State<Arc<House>>, request: HttpRequest<Body>) -> Result<Response, Infallible> {
    if let Some(gate) = request.uri().path().strip_prefix(OPEN) {
        house.gates.open(gate);
        return Ok(Response::new(Body::empty()));
    }
    let (head, body) = request.into_parts();
    let body = to_bytes(body, BODY_BYTES_MAX).await.unwrap_or_default();
    let request = house.recorder.take_in(Request {
        number: 0,
        at_ms: now_ms(),
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: words(&head.headers),
        body,
    });
    let answer = answer(&house, &request);
    if let Some(log) = &house.log {
        log.note(&request, answer.status);
    }
    Ok(write(house, &request, answer).await)
}

fn words(headers: &HeaderMap) -> std::collections::BTreeMap<String, String> {
    let word = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), word(value))).collect()
}

/// What is answered: by the first dialect that knows the request.
fn answer(house: &House, request: &Request) -> Answer {
    let read = |dialect: &Arc<dyn Dialect>| Some((Arc::clone(dialect), dialect.read(request, &house.book)?));
    match house.dialects.0.iter().find_map(read) {
        Some((dialect, Asked::Turn { key, step })) => dialect.play(request, &house.tries.play(&key, &step)),
        Some((_, Asked::Plain(answer))) => answer,
        Some((dialect, Asked::Malformed(faults))) => {
            let words = format!("request {} is malformed: {}", request.number, faults.join("; "));
            house.recorder.note_fault(words.clone());
            dialect.refuse(400, &words)
        }
        None => unknown(house, request),
    }
}

fn unknown(house: &House, request: &Request) -> Answer {
    let words = format!("request {} is of no dialect: {} {}", request.number, request.method, request.path);
    house.recorder.note_fault(words.clone());
    Answer::json(404, &serde_json::json!({"error": {"type": "not_found_error", "message": words}}))
}

/// Writes an answer: waits that stand first hold back the head.
async fn write(house: Arc<House>, request: &Request, answer: Answer) -> Response {
    let end = End { recorder: house.recorder.clone(), number: request.number, answered: None };
    let mut frames = answer.frames.into_iter().peekable();
    while let Some(frame) = frames.next_if(|frame| !matches!(frame, Frame::Bytes(_))) {
        if !pass(&house, &frame).await {
            return cut();
        }
    }
    let (pieces, body) = mpsc::channel(FRAMES_WAITING_MAX);
    tokio::spawn(pour(house, frames.collect(), pieces, end, answer.status));
    let body = stream::unfold(body, |mut body| async { Some((body.recv().await?, body)) });
    let mut response = Response::builder().status(StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK));
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(Body::from_stream(body)).unwrap_or_else(|_| Response::new(Body::empty()))
}

/// A connection that is cut before its head: a body that fails at once.
fn cut() -> Response {
    Response::new(Body::from_stream(stream::once(async { Err::<Bytes, _>(Cut) })))
}

#[derive(Debug, thiserror::Error)]
#[error("cut on purpose")]
struct Cut;

/// Notes how an answer ended, also where its task is dropped.
struct End {
    recorder: Recorder,
    number: u64,
    answered: Option<Answered>,
}

impl Drop for End {
    fn drop(&mut self) {
        let answered = self.answered.unwrap_or_else(|| Answered::Cut { at_ms: now_ms() });
        self.recorder.note_end(self.number, answered);
    }
}

async fn pour(
    house: Arc<House>,
    frames: Vec<Frame>,
    into: mpsc::Sender<Result<Bytes, Cut>>,
    mut end: End,
    status: u16,
) {
    for frame in frames {
        let goes_on = match frame {
            Frame::Bytes(bytes) => into.send(Ok(bytes)).await.is_ok(),
            waits @ (Frame::Pause(_) | Frame::Gate(_) | Frame::Hang | Frame::Drop) => tokio::select! {
                passed = pass(&house, &waits) => passed,
                () = into.closed() => false,
            },
        };
        if !goes_on {
            // Where the client is still there this cuts it off; where it is gone nobody listens.
            drain(&into).await;
            let _ = into.send(Err(Cut)).await;
            return;
        }
    }
    end.answered = Some(Answered::Whole { at_ms: now_ms(), status });
}

/// Lets the connection write what it has been given: an error throws away what is unwritten.
async fn drain(into: &mpsc::Sender<Result<Bytes, Cut>>) {
    while into.capacity() < into.max_capacity() && !into.is_closed() {
        tokio::task::yield_now().await;
    }
    // Once more round the one thread, in which the connection finds nothing more to read and writes.
    tokio::task::yield_now().await;
}

/// Waits as a frame says; false where the connection is to be cut.
async fn pass(house: &House, frame: &Frame) -> bool {
    match frame {
        Frame::Bytes(_) => true,
        Frame::Pause(ms) => {
            let _ = tokio::time::timeout(Duration::from_millis(*ms), std::future::pending::<()>()).await;
            true
        }
        Frame::Gate(name) => {
            house.gates.pass(name).await;
            true
        }
        Frame::Hang => std::future::pending().await,
        Frame::Drop => false,
    }
}
