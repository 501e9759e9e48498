//! A daemon that follows a script: one step per call, in order.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use adjutant_api::home::Home;
use adjutant_client::{Client, ClientOptions, Endpoint, Gateway, GatewayUrl, Local};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// What the daemon does with the next call.
pub(crate) enum Step {
    /// Answers with a document.
    Answer(String),
    /// Answers with a status and a body.
    Status(u16, String),
    /// Streams records, and ends the connection in the middle of the stream.
    StreamAndBreak(String),
    /// Streams records to the end.
    Stream(String),
    /// Reads the call and hangs up.
    HangUp,
    /// Answers as something that is no daemon of ours: a status and a body, without a protocol.
    Unsigned(u16, String),
    /// Answers as a daemon of another protocol or version.
    As(u32, &'static str, String),
}

/// A place with a daemon that follows a script.
pub(crate) struct Scripted {
    pub(crate) root: tempfile::TempDir,
    calls: Rc<RefCell<Vec<String>>>,
    warnings: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    /// Starts the daemon; what is asked beyond the script is hung up on.
    pub(crate) fn new(steps: Vec<Step>) -> Self {
        let root = tempfile::Builder::new().prefix("adj").tempdir().expect("a directory");
        let scripted = Self { root, calls: Rc::default(), warnings: Arc::default() };
        std::fs::create_dir(scripted.home().run).expect("a run directory");
        let listener = UnixListener::bind(scripted.home().socket).expect("a socket");
        tokio::task::spawn_local(serve(listener, steps, Rc::clone(&scripted.calls)));
        scripted
    }

    /// Its home.
    pub(crate) fn home(&self) -> Home {
        Home::below(self.root.path())
    }

    /// A client that may start no daemon.
    pub(crate) fn client(&self) -> Client {
        self.client_by(Endpoint::Socket(Local {
            home: self.home(),
            adj: PathBuf::from("/nowhere/adj"),
            environment: Vec::new(),
        }))
    }

    /// A client that takes it for a gateway.
    pub(crate) fn behind_gateway(&self) -> Client {
        let url = GatewayUrl::Unix(self.home().socket);
        self.client_by(Endpoint::Gateway(Gateway { url, variable: "ADJ_GATEWAY_URL" }))
    }

    fn client_by(&self, endpoint: Endpoint) -> Client {
        let warnings = Arc::clone(&self.warnings);
        Client::new(ClientOptions {
            endpoint,
            token: Some("secret".to_owned()),
            autostart: false,
            warn: Box::new(move |remark, hint| {
                warnings.lock().expect("nobody panics with it").push(format!("{remark} {hint}"))
            }),
        })
    }

    /// What was asked: the first line and the interesting headers of each call.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.calls.borrow().clone()
    }

    /// What the user was told.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.warnings.lock().expect("nobody panics with it").clone()
    }
}

async fn serve(listener: UnixListener, steps: Vec<Step>, calls: Rc<RefCell<Vec<String>>>) {
    let mut steps = steps.into_iter();
    while let Ok((mut stream, _)) = listener.accept().await {
        while let Some(call) = read_call(&mut stream).await {
            calls.borrow_mut().push(call);
            let Some(step) = steps.next() else { break };
            if !play(&mut stream, step).await {
                break;
            }
        }
    }
}

/// Plays a step; false when the connection ends with it.
async fn play(stream: &mut UnixStream, step: Step) -> bool {
    let head = |status: u16, protocol: u32, version: &str, more: &str| {
        format!("HTTP/1.1 {status} x\r\nadj-protocol: {protocol}\r\nadj-version: {version}\r\n{more}\r\n\r\n")
    };
    let ours = env!("CARGO_PKG_VERSION");
    let sized = |body: &str| format!("content-length: {}", body.len());
    let chunk = |body: &str| format!("{:x}\r\n{body}\r\n", body.len());
    let (text, goes_on) = match step {
        Step::Answer(body) => (head(200, 1, ours, &sized(&body)) + &body, true),
        Step::Status(status, body) => (head(status, 1, ours, &sized(&body)) + &body, true),
        Step::Unsigned(status, body) => (format!("HTTP/1.1 {status} x\r\n{}\r\n\r\n{body}", sized(&body)), true),
        Step::As(protocol, version, body) => (head(200, protocol, version, &sized(&body)) + &body, true),
        Step::StreamAndBreak(body) => (head(200, 1, ours, "transfer-encoding: chunked") + &chunk(&body), false),
        Step::Stream(body) => (head(200, 1, ours, "transfer-encoding: chunked") + &chunk(&body) + "0\r\n\r\n", true),
        Step::HangUp => return false,
    };
    stream.write_all(text.as_bytes()).await.is_ok() && goes_on
}

/// Reads a head and its body.
async fn read_call(stream: &mut UnixStream) -> Option<String> {
    let mut held = Vec::new();
    let end = loop {
        if let Some(end) = held.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        let read = stream.read_buf(&mut held).await.ok()?;
        if read == 0 {
            return None;
        }
    };
    let head = String::from_utf8(held[..end].to_vec()).ok()?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    while held.len() < end + 4 + length {
        stream.read_buf(&mut held).await.ok()?;
    }
    let first = head.lines().next()?.trim_end_matches(" HTTP/1.1").to_owned();
    let id = head.lines().find_map(|line| line.strip_prefix("last-event-id: "));
    Some(id.map_or(first.clone(), |id| format!("{first} after {id}")))
}
