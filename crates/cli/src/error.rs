//! How a command fails, and what helps.

use std::io;

use adjutant_api::{ErrorBody, ErrorCode, ExitCode};
use adjutant_client::ClientError;

/// Why a command has no result.
#[derive(Debug)]
pub(crate) enum CommandError {
    /// It is told on standard error.
    Told(ErrorBody),
    /// Whoever read the result has gone; nothing is said.
    ClosedPipe,
    /// Somebody interrupted `adj` itself; nothing is said, and nothing of the result is shown.
    Interrupted,
}

/// What a shell sees of a process that `SIGPIPE` ended.
pub(crate) const CLOSED_PIPE_EXIT: u8 = 141;

impl CommandError {
    /// An error of a kind.
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::Told(ErrorBody::new(code, message))
    }

    /// A wrong call.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Usage, message)
    }

    /// A fault of ours.
    pub(crate) fn internal(error: &dyn std::error::Error) -> Self {
        Self::new(ErrorCode::Internal, error.to_string())
    }

    /// A result that could not be written.
    pub(crate) fn from_write(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::ClosedPipe;
        }
        Self::new(ErrorCode::Internal, format!("cannot write the result: {error}"))
    }

    /// The same error with a hint.
    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        match self {
            Self::Told(body) => Self::Told(body.with_hint(hint)),
            quiet @ (Self::ClosedPipe | Self::Interrupted) => quiet,
        }
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> u8 {
        match self {
            Self::Told(body) => body.exit,
            Self::ClosedPipe => CLOSED_PIPE_EXIT,
            Self::Interrupted => ExitCode::Interrupted.number(),
        }
    }
}

impl From<ErrorBody> for CommandError {
    fn from(body: ErrorBody) -> Self {
        Self::Told(hinted(body))
    }
}

impl From<ClientError> for CommandError {
    fn from(error: ClientError) -> Self {
        ErrorBody::from(error).into()
    }
}

impl From<io::Error> for CommandError {
    fn from(error: io::Error) -> Self {
        Self::new(ErrorCode::Internal, error.to_string())
    }
}

/// The error with the hint of its kind, unless it brought its own.
pub(crate) fn hinted(body: ErrorBody) -> ErrorBody {
    if body.hint.is_some() {
        return body;
    }
    let hint = hint(&body);
    ErrorBody { hint, ..body }
}

fn hint(body: &ErrorBody) -> Option<String> {
    let session = body.details["session"].as_str();
    match &body.code {
        ErrorCode::SessionNotFound | ErrorCode::AmbiguousId => Some("adj list -a".to_owned()),
        ErrorCode::SessionExited | ErrorCode::OutcomeUnknown => session.map(|id| format!("adj status --explain {id}")),
        ErrorCode::MessageNotFound | ErrorCode::MessageStarted => session.map(|id| format!("adj queue list -a {id}")),
        ErrorCode::RequestNotFound | ErrorCode::RequestNotPending | ErrorCode::RequestAmbiguous => {
            Some("adj requests".to_owned())
        }
        ErrorCode::QueueFull => session.map(|id| format!("adj wait {id}")),
        ErrorCode::StoreCorrupt | ErrorCode::StoreMissing | ErrorCode::StoreUnwritable | ErrorCode::StoreUnreadable => {
            Some("adj doctor".to_owned())
        }
        ErrorCode::SessionsWorking => Some("adj daemon stop --drain".to_owned()),
        ErrorCode::VersionMismatch => Some("adj daemon stop".to_owned()),
        ErrorCode::AgentNotFound
        | ErrorCode::AgentStartFailed
        | ErrorCode::AuthRequired
        | ErrorCode::TrustRequired
        | ErrorCode::IdInUse
        | ErrorCode::Forbidden
        | ErrorCode::Unauthorized
        | ErrorCode::StoreNewer
        | ErrorCode::PortInUse
        | ErrorCode::SkillModified
        | ErrorCode::Internal
        | ErrorCode::Usage
        | ErrorCode::IdInvalid
        | ErrorCode::PathNotFound
        | ErrorCode::PathNotDirectory
        | ErrorCode::PathNotTranslatable
        | ErrorCode::MessageEmpty
        | ErrorCode::MessageTooLarge
        | ErrorCode::MessageNotText
        | ErrorCode::NotSupported
        | ErrorCode::EnvInvalid
        | ErrorCode::ConfigInvalid
        | ErrorCode::ProjectNotFound
        | ErrorCode::Timeout
        | ErrorCode::DaemonUnreachable
        | ErrorCode::HostUnreachable
        | ErrorCode::GatewayUnreachable
        | ErrorCode::StateDirUnusable
        | ErrorCode::HomeMissing
        | ErrorCode::SocketPathTooLong
        | ErrorCode::Other(_) => None,
    }
}
