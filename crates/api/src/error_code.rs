//! The codes of errors, with the exit code and the HTTP status of each.

use crate::exit_code::ExitCode;
use crate::schema::words;

words! {
    /// What went wrong, as a word that scripts may compare.
    pub enum ErrorCode {
        /// The agent's program is not on the caller's PATH, or no agent has that name.
        AgentNotFound = "agent_not_found",
        /// The agent was started and did not get ready.
        AgentStartFailed = "agent_start_failed",
        /// The agent is not logged in.
        AuthRequired = "auth_required",
        /// The agent does not trust the directory.
        TrustRequired = "trust_required",
        /// The chosen id belongs to another session.
        IdInUse = "id_in_use",
        /// The caller may not do that.
        Forbidden = "forbidden",
        /// The caller's token is missing, wrong or expired.
        Unauthorized = "unauthorized",
        /// The message is no longer in the queue.
        MessageStarted = "message_started",
        /// Somebody else has answered the request, or it was withdrawn.
        RequestNotPending = "request_not_pending",
        /// The session's queue holds as much as it may.
        QueueFull = "queue_full",
        /// The store fails its integrity check.
        StoreCorrupt = "store_corrupt",
        /// The store cannot be written at the moment.
        StoreUnwritable = "store_unwritable",
        /// The store cannot be read.
        StoreUnreadable = "store_unreadable",
        /// The store is gone although sessions of its home exist.
        StoreMissing = "store_missing",
        /// The store was written by a newer version.
        StoreNewer = "store_newer",
        /// Somebody else listens there.
        PortInUse = "port_in_use",
        /// Sessions are in the middle of a turn.
        SessionsWorking = "sessions_working",
        /// A skill file was changed by hand.
        SkillModified = "skill_modified",
        /// A fault in Adjutant itself.
        Internal = "internal",
        /// The call itself is wrong.
        Usage = "usage",
        /// The prefix fits several sessions.
        AmbiguousId = "ambiguous_id",
        /// That cannot be an id.
        IdInvalid = "id_invalid",
        /// No such path.
        PathNotFound = "path_not_found",
        /// The path is not a directory.
        PathNotDirectory = "path_not_directory",
        /// The path means nothing on the other side, or may not be reached from here.
        PathNotTranslatable = "path_not_translatable",
        /// The message has no text.
        MessageEmpty = "message_empty",
        /// The message is larger than the limit.
        MessageTooLarge = "message_too_large",
        /// The message is not UTF-8, or holds NUL or control characters.
        MessageNotText = "message_not_text",
        /// The agent cannot do that.
        NotSupported = "not_supported",
        /// Several requests are open.
        RequestAmbiguous = "request_ambiguous",
        /// A variable of the environment has an impossible value.
        EnvInvalid = "env_invalid",
        /// The configuration file has an unknown key or a wrong value.
        ConfigInvalid = "config_invalid",
        /// No such session.
        SessionNotFound = "session_not_found",
        /// The session has ended.
        SessionExited = "session_exited",
        /// No such message.
        MessageNotFound = "message_not_found",
        /// No such request.
        RequestNotFound = "request_not_found",
        /// No such project.
        ProjectNotFound = "project_not_found",
        /// It may or may not have taken effect.
        OutcomeUnknown = "outcome_unknown",
        /// The time was over; the work goes on.
        Timeout = "timeout",
        /// No daemon listens.
        DaemonUnreachable = "daemon_unreachable",
        /// The other host does not answer.
        HostUnreachable = "host_unreachable",
        /// The gateway does not answer.
        GatewayUnreachable = "gateway_unreachable",
        /// Client and daemon speak different protocols.
        VersionMismatch = "version_mismatch",
        /// The state or run directory cannot be used.
        StateDirUnusable = "state_dir_unusable",
        /// There is no home directory to keep state in.
        HomeMissing = "home_missing",
        /// The socket's path has more bytes than the system allows.
        SocketPathTooLong = "socket_path_too_long",
    }
}

impl ErrorCode {
    /// The exit code of a command that fails with it. A code of a newer version counts as refused; what the error object
    /// says in `exit` wins over this.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::AgentNotFound
            | Self::AgentStartFailed
            | Self::AuthRequired
            | Self::TrustRequired
            | Self::IdInUse
            | Self::Forbidden
            | Self::Unauthorized
            | Self::MessageStarted
            | Self::RequestNotPending
            | Self::QueueFull
            | Self::StoreCorrupt
            | Self::StoreUnwritable
            | Self::StoreUnreadable
            | Self::StoreMissing
            | Self::StoreNewer
            | Self::PortInUse
            | Self::SessionsWorking
            | Self::SkillModified
            | Self::Internal
            | Self::Other(_) => ExitCode::Refused,
            Self::Usage
            | Self::AmbiguousId
            | Self::IdInvalid
            | Self::PathNotFound
            | Self::PathNotDirectory
            | Self::PathNotTranslatable
            | Self::MessageEmpty
            | Self::MessageTooLarge
            | Self::MessageNotText
            | Self::NotSupported
            | Self::RequestAmbiguous
            | Self::EnvInvalid
            | Self::ConfigInvalid => ExitCode::Usage,
            Self::SessionNotFound
            | Self::SessionExited
            | Self::MessageNotFound
            | Self::RequestNotFound
            | Self::ProjectNotFound => ExitCode::NotFound,
            Self::OutcomeUnknown => ExitCode::Unknown,
            Self::Timeout => ExitCode::Timeout,
            Self::DaemonUnreachable
            | Self::HostUnreachable
            | Self::GatewayUnreachable
            | Self::VersionMismatch
            | Self::StateDirUnusable
            | Self::HomeMissing
            | Self::SocketPathTooLong => ExitCode::Unreachable,
        }
    }

    /// The HTTP status of an answer that carries it.
    pub fn http_status(&self) -> u16 {
        match self {
            Self::Usage
            | Self::AmbiguousId
            | Self::IdInvalid
            | Self::PathNotFound
            | Self::PathNotDirectory
            | Self::MessageEmpty
            | Self::MessageNotText
            | Self::NotSupported
            | Self::RequestAmbiguous
            | Self::EnvInvalid
            | Self::ConfigInvalid => 400,
            Self::Unauthorized => 401,
            Self::Forbidden | Self::PathNotTranslatable => 403,
            Self::SessionNotFound | Self::MessageNotFound | Self::RequestNotFound | Self::ProjectNotFound => 404,
            Self::IdInUse
            | Self::MessageStarted
            | Self::RequestNotPending
            | Self::SessionsWorking
            | Self::PortInUse
            | Self::SkillModified => 409,
            Self::SessionExited => 410,
            Self::MessageTooLarge => 413,
            Self::AgentNotFound | Self::AgentStartFailed | Self::AuthRequired | Self::TrustRequired => 422,
            Self::VersionMismatch => 426,
            Self::QueueFull => 429,
            Self::Internal | Self::OutcomeUnknown | Self::Other(_) => 500,
            Self::StoreCorrupt
            | Self::StoreUnwritable
            | Self::StoreUnreadable
            | Self::StoreMissing
            | Self::StoreNewer
            | Self::DaemonUnreachable
            | Self::HostUnreachable
            | Self::GatewayUnreachable
            | Self::StateDirUnusable
            | Self::HomeMissing
            | Self::SocketPathTooLong => 503,
            Self::Timeout => 422,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of `cli.md` 0.7, with the codes of the store added.
    const TABLE: &[(u8, &str)] = &[
        (1, "agent_not_found agent_start_failed auth_required trust_required id_in_use forbidden unauthorized"),
        (1, "message_started request_not_pending queue_full store_corrupt port_in_use sessions_working"),
        (1, "skill_modified internal store_unwritable store_unreadable store_missing store_newer"),
        (2, "usage ambiguous_id id_invalid path_not_found path_not_directory path_not_translatable"),
        (2, "message_empty message_too_large message_not_text not_supported request_ambiguous env_invalid"),
        (2, "config_invalid"),
        (4, "session_not_found session_exited message_not_found request_not_found project_not_found"),
        (5, "outcome_unknown"),
        (124, "timeout"),
        (255, "daemon_unreachable host_unreachable gateway_unreachable version_mismatch"),
        (255, "state_dir_unusable home_missing socket_path_too_long"),
    ];

    #[test]
    fn every_code_exits_as_the_page_says() {
        let mut seen = 0;
        for (exit, words) in TABLE {
            for word in words.split(' ') {
                assert_eq!(ErrorCode::from(word).exit_code().number(), *exit, "{word}");
                assert!(ErrorCode::WORDS.contains(&word), "{word}");
                seen += 1;
            }
        }
        assert_eq!(seen, ErrorCode::WORDS.len());
    }

    #[test]
    fn statuses_and_exits_agree() {
        for word in ErrorCode::WORDS {
            let code = ErrorCode::from(*word);
            let class = match code.exit_code() {
                ExitCode::Usage => [400, 403, 413].as_slice(),
                ExitCode::NotFound => &[404, 410],
                ExitCode::Unreachable => &[426, 503],
                ExitCode::Timeout => &[422],
                ExitCode::Unknown => &[500],
                ExitCode::Refused => &[401, 403, 409, 422, 429, 500, 503],
                ExitCode::Completed | ExitCode::WaitingForInput | ExitCode::Interrupted => &[],
            };
            assert!(class.contains(&code.http_status()), "{word}");
        }
    }
}
