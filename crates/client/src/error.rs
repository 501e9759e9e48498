//! What can go wrong between a call and its answer.

use adjutant_api::protocol::{PROTOCOL, VERSION};
use adjutant_api::{ErrorBody, ErrorCode};

/// A call without an answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ClientError {
    /// The daemon answered with an error.
    #[error("{0}")]
    Refused(ErrorBody),
    /// No daemon could be started.
    #[error("{0}")]
    NotStarted(ErrorBody),
    /// The daemon that was being started ended without a word.
    #[error("the daemon ended while it started")]
    DiedAtStart {
        /// The last line of its log.
        last_words: String,
    },
    /// No daemon listens, and none may be started.
    #[error("no daemon listens on {socket}")]
    NotRunning {
        /// Where it would listen.
        socket: String,
    },
    /// The socket is there and cannot be used.
    #[error("cannot connect to {socket}: {detail}")]
    Unconnectable {
        /// The socket.
        socket: String,
        /// What the system says.
        detail: String,
    },
    /// The other machine is out of reach.
    #[error("{host} cannot be reached: {detail}")]
    HostUnreachable {
        /// The machine.
        host: String,
        /// What `ssh`, or the connection, says.
        detail: String,
        /// It may be different in a moment; a host key that has changed will not.
        passing: bool,
    },
    /// The gateway is out of reach.
    #[error("no gateway answers at {url} (`{variable}`): {detail}")]
    GatewayUnreachable {
        /// Where it should be.
        url: String,
        /// The variable that says so.
        variable: &'static str,
        /// What the system, or the connection, says.
        detail: String,
    },
    /// The connection broke before there was an answer.
    #[error("the connection to the daemon broke: {detail}")]
    Lost {
        /// What the connection says.
        detail: String,
        /// The call may have taken effect.
        in_doubt: bool,
    },
    /// There was no answer within the deadline.
    #[error("no answer from the daemon within {seconds} s")]
    Deadline {
        /// The deadline.
        seconds: u64,
        /// The call may have taken effect.
        in_doubt: bool,
    },
    /// The daemon speaks another protocol.
    #[error(
        "the daemon has version {daemon} (protocol {protocol}), and this is version {VERSION} (protocol {PROTOCOL})"
    )]
    Mismatch {
        /// The daemon's version.
        daemon: String,
        /// The daemon's protocol.
        protocol: String,
    },
    /// The daemon's answer makes no sense.
    #[error("the daemon's answer cannot be read: {detail}")]
    Malformed {
        /// What is wrong with it.
        detail: String,
    },
}

impl ClientError {
    /// Whether the same call may be made again at once: nothing has happened, and the next daemon may answer.
    pub(crate) fn can_be_repeated(&self) -> bool {
        match self {
            Self::Lost { in_doubt, .. } => !in_doubt,
            Self::DiedAtStart { .. } => true,
            Self::Refused(body) => body.code == ErrorCode::DaemonUnreachable,
            Self::NotRunning { .. }
            | Self::Unconnectable { .. }
            | Self::HostUnreachable { .. }
            | Self::GatewayUnreachable { .. }
            | Self::NotStarted(_)
            | Self::Deadline { .. }
            | Self::Mismatch { .. }
            | Self::Malformed { .. } => false,
        }
    }

    /// Whether a stream that was open before should look for a daemon again.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::NotRunning { .. } | Self::Unconnectable { .. })
            || self.is_far_away()
            || self.can_be_repeated()
    }

    /// Whether the two sides speak different protocols.
    pub(crate) fn is_mismatch(&self) -> bool {
        match self {
            Self::Mismatch { .. } => true,
            Self::Refused(body) => body.code == ErrorCode::VersionMismatch,
            Self::NotStarted(_)
            | Self::DiedAtStart { .. }
            | Self::NotRunning { .. }
            | Self::Unconnectable { .. }
            | Self::HostUnreachable { .. }
            | Self::GatewayUnreachable { .. }
            | Self::Lost { .. }
            | Self::Deadline { .. }
            | Self::Malformed { .. } => false,
        }
    }

    /// Whether the way to another machine, or out of a container, is cut and may be there again later.
    pub(crate) fn is_far_away(&self) -> bool {
        matches!(self, Self::HostUnreachable { passing: true, .. } | Self::GatewayUnreachable { .. })
    }
}

impl From<ClientError> for ErrorBody {
    fn from(error: ClientError) -> Self {
        let message = error.to_string();
        match error {
            ClientError::Refused(body) | ClientError::NotStarted(body) => body,
            ClientError::DiedAtStart { last_words } => {
                let message = if last_words.is_empty() { message } else { format!("{message}: {last_words}") };
                Self::new(ErrorCode::DaemonUnreachable, message).with_hint("adj daemon run")
            }
            ClientError::NotRunning { .. } => Self::new(ErrorCode::DaemonUnreachable, message),
            ClientError::Unconnectable { .. } | ClientError::Malformed { .. } => {
                Self::new(ErrorCode::DaemonUnreachable, message)
            }
            ClientError::HostUnreachable { host, .. } => {
                Self::new(ErrorCode::HostUnreachable, message).with_detail("host", host)
            }
            ClientError::GatewayUnreachable { url, variable, .. } => Self::new(ErrorCode::GatewayUnreachable, message)
                .with_detail("url", url)
                .with_detail("variable", variable),
            ClientError::Lost { in_doubt: true, .. } | ClientError::Deadline { in_doubt: true, .. } => {
                Self::new(ErrorCode::OutcomeUnknown, format!("{message}; nobody can know whether the call took effect"))
            }
            ClientError::Lost { .. } | ClientError::Deadline { .. } => Self::new(ErrorCode::DaemonUnreachable, message),
            ClientError::Mismatch { daemon, .. } => Self::new(ErrorCode::VersionMismatch, message)
                .with_hint("adj daemon stop")
                .with_detail("daemon", daemon)
                .with_detail("client", VERSION),
        }
    }
}
