//! The agents, sessions and limits that the tests play with.

use adjutant_core::agent::{Capabilities, FrameStyle, Mode, Source};
use adjutant_core::session::Profile;
use adjutant_core::{AgentName, HostConfig, SessionId};

pub(crate) fn abilities(sure: bool) -> Capabilities {
    Capabilities {
        modes: vec![Mode::Native],
        terminal: true,
        interrupt: true,
        steer: sure,
        requests: true,
        goals: false,
        resume: sure,
        usage: false,
        model: false,
        effort: false,
        headless: false,
        sandbox: false,
        arguments: false,
        policy: false,
        commands: sure,
        source: Source::ControlPipe,
        exit_code: true,
        deduplicates: sure,
        frame: if sure { FrameStyle::Variables } else { FrameStyle::Plain },
    }
}

/// Three agents: one that refuses a second taking, one that does not, and one that cannot be interrupted.
pub(crate) fn config() -> HostConfig {
    let deaf = Capabilities { interrupt: false, ..abilities(true) };
    let agents = [("sure", abilities(true)), ("plain", abilities(false)), ("deaf", deaf)];
    let agents = agents.into_iter().map(|(name, can)| (AgentName::new(name), can)).collect();
    HostConfig {
        queue_messages_max: 5,
        queue_bytes_max: 60,
        notices_waiting_max: 2,
        sessions_live_max: 5,
        ..HostConfig::new(agents)
    }
}

pub(crate) fn session_id(number: u8) -> SessionId {
    let mut bytes = [0; 16];
    bytes[15] = number;
    SessionId::from_bytes(bytes)
}

pub(crate) fn profile(agent: &str, number: u8) -> Profile {
    let bare = Profile::bare(AgentName::new(agent), "/work", "/bin/agent");
    Profile { token_hash: format!("hash of {number}"), keep_failed: true, ..bare }
}
