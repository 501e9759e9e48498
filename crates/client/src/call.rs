//! One call: a request, a deadline, an answer.

use std::time::Duration;

use adjutant_api::methods::{self, Method, Scope};
use adjutant_api::protocol::{LAST_EVENT_ID_HEADER, NDJSON, PROTOCOL, PROTOCOL_HEADER, VERSION, VERSION_HEADER};
use adjutant_api::query::to_query;
use adjutant_api::{ErrorBody, ErrorCode, ErrorDocument};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout};

use crate::backoff::Backoff;
use crate::connect::{Link, lost};
use crate::error::ClientError;
use crate::{Client, limits};

/// How often a call is tried on connections that break.
const ATTEMPTS: usize = 5;

/// A call that can be sent, also more than once.
#[derive(Clone)]
pub(crate) struct Call {
    method: &'static Method,
    target: String,
    body: Bytes,
    deadline: Duration,
    last_event_id: Option<String>,
    accept: &'static str,
    upgrade: Option<&'static str>,
    repeatable: bool,
    any_protocol: bool,
}

impl Call {
    pub(crate) fn new(method: &'static Method, parameters: &[&str]) -> Self {
        Self {
            method,
            target: method.path_with(parameters),
            body: Bytes::new(),
            deadline: limits::ANSWER,
            last_event_id: None,
            accept: "application/json",
            upgrade: None,
            repeatable: method.repeatable,
            any_protocol: method.any_protocol,
        }
    }

    pub(crate) fn query(mut self, query: &impl Serialize) -> Self {
        let text = to_query(query);
        if !text.is_empty() {
            self.target = format!("{}?{text}", self.target);
        }
        self
    }

    pub(crate) fn body(mut self, body: &impl Serialize) -> Self {
        self.body = serde_json::to_vec(body).unwrap_or_default().into();
        self
    }

    pub(crate) fn within(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Continues a stream after a cursor.
    pub(crate) fn after(mut self, cursor: Option<String>) -> Self {
        self.last_event_id = cursor;
        self
    }

    pub(crate) fn upgrading(mut self, protocol: &'static str) -> Self {
        self.upgrade = Some(protocol);
        self
    }

    pub(crate) fn repeatable(mut self, repeatable: bool) -> Self {
        self.repeatable = repeatable;
        self
    }

    pub(crate) fn streaming(mut self) -> Self {
        self.accept = NDJSON;
        self
    }

    fn request(&self, token: Option<&str>, authority: &str) -> Result<Request<Full<Bytes>>, ClientError> {
        let mut request = Request::builder()
            .method(self.method.verb.as_str())
            .uri(&self.target)
            .header(header::HOST, authority)
            .header(header::ACCEPT, self.accept)
            .header(PROTOCOL_HEADER, PROTOCOL)
            .header(VERSION_HEADER, VERSION);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(id) = &self.last_event_id {
            request = request.header(LAST_EVENT_ID_HEADER, id);
        }
        if let Some(protocol) = self.upgrade {
            request = request.header(header::CONNECTION, "upgrade").header(header::UPGRADE, protocol);
        }
        if self.method.body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let built = request.body(Full::new(self.body.clone()));
        built.map_err(|error| ClientError::Malformed { detail: error.to_string() })
    }
}

impl Client {
    /// Makes a call and reads its answer.
    pub(crate) async fn call<T: DeserializeOwned>(&mut self, call: Call) -> Result<T, ClientError> {
        let mut backoff = Backoff::until(Instant::now() + limits::RECONNECT);
        let mut broken = 0;
        loop {
            let error = match self.attempt(&call).await {
                Ok(body) => return read(&body),
                Err(error) => settled(error, call.repeatable),
            };
            broken += usize::from(!matches!(error, ClientError::Refused(_)));
            if !error.can_be_repeated() || broken == ATTEMPTS || !backoff.pause().await {
                return Err(self.options.endpoint.blame(error));
            }
        }
    }

    /// Makes a call at one daemon and reads its answer; whether another one is asked, and started, is for the caller to say.
    pub(crate) async fn call_once<T: DeserializeOwned>(&mut self, call: &Call) -> Result<T, ClientError> {
        match self.attempt(call).await {
            Ok(body) => read(&body),
            Err(error) => Err(self.options.endpoint.blame(settled(error, call.repeatable))),
        }
    }

    async fn attempt(&mut self, call: &Call) -> Result<Bytes, ClientError> {
        let mut link = self.take_link().await?;
        // Of a daemon of this machine it is known that it is of this version, or nearly; of another one it is not.
        let far_change = self.options.endpoint.is_far() && call.method.scope == Scope::Change;
        if !link.proven && (!call.repeatable || far_change) {
            self.prove(&mut link, call.any_protocol).await?;
        }
        let body = self.exchange(&mut link, call).await?;
        self.link = Some(link);
        Ok(body)
    }

    /// Asks whether somebody is there before something is said that must not be said twice: a socket accepts
    /// connections for a while after its daemon has died.
    async fn prove(&mut self, link: &mut Link, any_protocol: bool) -> Result<(), ClientError> {
        let probe = Call { any_protocol, ..Call::new(&methods::HEALTH, &[]) };
        let probe = self.exchange(link, &probe).await;
        probe.map(|_| ()).map_err(|error| settled(error, true))
    }

    /// One request and its whole answer on one connection.
    async fn exchange(&mut self, link: &mut Link, call: &Call) -> Result<Bytes, ClientError> {
        let token = self.options.token.clone();
        let whole = async {
            let response = link.send(call.request(token.as_deref(), &link.authority)?).await?;
            match self.check_version(&response) {
                Err(mismatch) if !call.any_protocol => Err(self.misunderstood(response, mismatch).await),
                Err(_) | Ok(()) => answer(response).await,
            }
        };
        let seconds = call.deadline.as_secs();
        let body = timeout(call.deadline, whole).await;
        let body = body.unwrap_or(Err(ClientError::Deadline { seconds, in_doubt: true }))?;
        link.proven = true;
        Ok(body)
    }

    /// An error without a version may come from something on the way to the daemon, and is told as it is.
    async fn misunderstood(&self, response: Response<Incoming>, mismatch: ClientError) -> ClientError {
        let unsigned = !response.headers().contains_key(PROTOCOL_HEADER);
        if !(unsigned && self.options.endpoint.is_far()) || response.status().is_success() {
            return mismatch;
        }
        match answer(response).await {
            Err(refused @ ClientError::Refused(_)) if !refused.is_mismatch() => refused,
            Ok(_) | Err(_) => mismatch,
        }
    }

    /// Makes a call whose answer is a stream or a switch of protocols, up to the head of the answer.
    pub(crate) async fn open_call(&mut self, call: &Call) -> Result<Response<Incoming>, ClientError> {
        let opened = self.opened(call).await;
        opened.map_err(|error| self.options.endpoint.blame(error))
    }

    async fn opened(&mut self, call: &Call) -> Result<Response<Incoming>, ClientError> {
        let mut link = self.take_link().await?;
        let request = call.request(self.options.token.as_deref(), &link.authority)?;
        let sent = timeout(call.deadline, link.send(request)).await;
        let response = sent.unwrap_or(Err(ClientError::Deadline { seconds: call.deadline.as_secs(), in_doubt: false }));
        let response = response.map_err(|error| settled(error, true))?;
        if let Err(mismatch) = self.check_version(&response) {
            return Err(self.misunderstood(response, mismatch).await);
        }
        if response.status().is_success() || response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(response);
        }
        match answer(response).await {
            Err(error) => Err(error),
            Ok(_) => Err(ClientError::Malformed { detail: "an error without words".to_owned() }),
        }
    }
}

/// A failure of a call that changes nothing by being repeated leaves no doubt.
fn settled(error: ClientError, repeatable: bool) -> ClientError {
    match error {
        ClientError::Lost { detail, in_doubt } => ClientError::Lost { detail, in_doubt: in_doubt && !repeatable },
        ClientError::Deadline { seconds, in_doubt } => {
            ClientError::Deadline { seconds, in_doubt: in_doubt && !repeatable }
        }
        said @ (ClientError::Refused(_)
        | ClientError::NotStarted(_)
        | ClientError::DiedAtStart { .. }
        | ClientError::NotRunning { .. }
        | ClientError::Unconnectable { .. }
        | ClientError::HostUnreachable { .. }
        | ClientError::GatewayUnreachable { .. }
        | ClientError::Mismatch { .. }
        | ClientError::Malformed { .. }) => said,
    }
}

/// The body of a good answer, or the error that the answer holds.
async fn answer(response: Response<Incoming>) -> Result<Bytes, ClientError> {
    let status = response.status();
    let body = Limited::new(response.into_body(), limits::ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(|error| lost(&*error, true))?.to_bytes();
    if status.is_success() {
        return Ok(body);
    }
    match serde_json::from_slice::<ErrorDocument>(&body) {
        Ok(document) => Err(ClientError::Refused(document.error)),
        Err(_) if status == StatusCode::NOT_FOUND => {
            Err(ClientError::Refused(ErrorBody::new(ErrorCode::VersionMismatch, "the daemon does not know this call")))
        }
        Err(_) => Err(ClientError::Malformed { detail: format!("status {status} without an error object") }),
    }
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, ClientError> {
    serde_json::from_slice(body).map_err(|error| ClientError::Malformed { detail: error.to_string() })
}
