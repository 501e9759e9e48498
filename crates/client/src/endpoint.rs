//! Where a daemon is, and by which way its client comes to it. Nothing above this knows which way it is.

use std::ffi::OsString;
use std::path::PathBuf;

use adjutant_api::home::Home;
use adjutant_api::{ErrorBody, ErrorCode, protocol};

use crate::connect::UNKNOWN;
use crate::error::ClientError;
use crate::gateway::Gateway;
use crate::ssh::Ssh;

/// The way to a daemon.
pub enum Endpoint {
    /// The Unix socket of this machine's daemon.
    Socket(Local),
    /// A gateway, from inside of a container.
    Gateway(Gateway),
    /// The daemon of another machine, through `ssh`.
    Ssh(Ssh),
}

/// The daemon of this user on this machine.
pub struct Local {
    /// Where the host's files are.
    pub home: Home,
    /// The `adj` binary, to be started as the daemon.
    pub adj: PathBuf,
    /// What the daemon's environment is made from: the caller's variables.
    pub environment: Vec<(OsString, OsString)>,
}

impl Endpoint {
    /// An error in the words of this way: a connection that breaks says nothing of a daemon of this machine.
    pub(crate) fn blame(&self, error: ClientError) -> ClientError {
        match self {
            Self::Socket(_) => error,
            Self::Gateway(gateway) => {
                blamed(with_token(error), |detail| gateway.unreachable(detail), &gateway.name(), None)
            }
            Self::Ssh(ssh) => {
                let stop = format!("adj --host {} daemon stop", ssh.name);
                blamed(error, |detail| ssh.unreachable(detail), &ssh.name, Some(stop))
            }
        }
    }

    /// What the machine is called, where it is another one.
    pub(crate) fn host(&self) -> Option<&str> {
        match self {
            Self::Ssh(ssh) => Some(&ssh.name),
            Self::Socket(_) | Self::Gateway(_) => None,
        }
    }

    /// Whether its daemon is on another machine, or outside of this container.
    pub(crate) fn is_far(&self) -> bool {
        !matches!(self, Self::Socket(_))
    }

    /// The command that ends the daemon there, where there is one.
    pub(crate) fn stop_hint(&self) -> String {
        match self {
            Self::Socket(_) => "adj daemon stop".to_owned(),
            Self::Gateway(_) => "adj gateway status".to_owned(),
            Self::Ssh(ssh) => format!("adj --host {} daemon stop", ssh.name),
        }
    }
}

/// Whoever is not known says who they are by a token.
fn with_token(error: ClientError) -> ClientError {
    let ClientError::Refused(body) = error else { return error };
    if body.code != ErrorCode::Unauthorized {
        return ClientError::Refused(body);
    }
    let how =
        "`ADJ_GATEWAY_TOKEN` or `ADJ_GATEWAY_TOKEN_FILE` holds what `adj gateway token create` printed on the host";
    // A stream that is taken up again, and refused then, has been here before.
    if body.message.ends_with(how) {
        return ClientError::Refused(body);
    }
    // The command of the hint is in that sentence, and is none for where this is called.
    ClientError::Refused(ErrorBody { message: format!("{}; {how}", body.message), hint: None, ..body })
}

fn blamed(
    error: ClientError,
    unreachable: impl Fn(String) -> ClientError,
    name: &str,
    stop: Option<String>,
) -> ClientError {
    match error {
        ClientError::Lost { detail, in_doubt: false } => unreachable(format!("the connection broke: {detail}")),
        ClientError::Deadline { seconds, in_doubt: false } => unreachable(format!("no answer within {seconds} s")),
        ClientError::Mismatch { daemon, protocol } => ClientError::Refused(mismatch(name, &daemon, &protocol, stop)),
        said @ (ClientError::Refused(_)
        | ClientError::NotStarted(_)
        | ClientError::DiedAtStart { .. }
        | ClientError::NotRunning { .. }
        | ClientError::Unconnectable { .. }
        | ClientError::Lost { .. }
        | ClientError::Deadline { .. }
        | ClientError::HostUnreachable { .. }
        | ClientError::GatewayUnreachable { .. }
        | ClientError::Malformed { .. }) => said,
    }
}

/// The other side speaks another protocol.
fn mismatch(name: &str, version: &str, protocol: &str, stop: Option<String>) -> ErrorBody {
    let (own, own_protocol) = (protocol::VERSION, protocol::PROTOCOL);
    let unsigned = (version, protocol) == (UNKNOWN, UNKNOWN);
    let message = if unsigned {
        format!("what answers at {name} is not Adjutant")
    } else {
        format!(
            "the daemon behind {name} has version {version} (protocol {protocol}), and this is version {own} \
         (protocol {own_protocol})"
        )
    };
    let body = ErrorBody::new(ErrorCode::VersionMismatch, message);
    let body = body.with_detail("daemon", version).with_detail("client", own).with_detail("host", name);
    match stop {
        Some(stop) => body.with_hint(stop),
        None => body,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_not_known_is_told_once_how_to_be() {
        let refused = |code| ClientError::Refused(ErrorBody::new(code, "no").with_hint("adj gateway token create"));
        let once = with_token(refused(ErrorCode::Unauthorized)).to_string();
        assert_eq!(once.matches("ADJ_GATEWAY_TOKEN_FILE").count(), 1, "{once}");
        assert_eq!(with_token(with_token(refused(ErrorCode::Unauthorized))).to_string(), once);
        assert!(!with_token(refused(ErrorCode::Forbidden)).to_string().contains("ADJ_GATEWAY_TOKEN"));
    }
}
