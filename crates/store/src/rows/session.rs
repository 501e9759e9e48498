//! The row of a session. Its live messages and open requests are rows of their own and are put back by the loader.

use adjutant_core::agent::{AgentName, Mode, SessionEnd, Source, TurnOrigin};
use adjutant_core::id::{MessageId, SessionId, TokenId, TurnNumber};
use adjutant_core::message::{Message, Sender};
use adjutant_core::name::SessionName;
use adjutant_core::outcome::UnknownReason;
use adjutant_core::process::Incarnation;
use adjutant_core::request::Request;
use adjutant_core::session::{
    Basis, Goal, Hold, MadeWorktree, Phase, Policy, Processes, Profile, Resume, Session, Stopping, Work, Worktree,
};
use adjutant_core::time::Timestamp;
use adjutant_core::turn::{EndedTurn, RunningTurn};
mirror! {
    struct MadeWorktreeRow = MadeWorktree {
        id: String,
        branch: String,
        base: String,
        base_branch: Option<String>,
    }
}

mirror! {
    struct WorktreeRow = Worktree {
        top: String,
        checkout: String,
        made: Option<MadeWorktree>,
    }
}

mirror! {
    struct ProfileRow = Profile {
        agent: AgentName,
        mode: Mode,
        path: String,
        project: Option<String>,
        worktree: Option<Worktree>,
        description: Option<String>,
        model: Option<String>,
        effort: Option<String>,
        headless: bool,
        sandbox: Option<String>,
        arguments: Vec<String>,
        resume: Option<Resume>,
        policy: Policy,
        program: String,
        env_names: Vec<String>,
        creator: Sender,
        key: Option<String>,
        token_hash: String,
        keep_failed: bool,
        trust: bool,
        owner: Option<TokenId>,
    }
}

mirror! {
    enum ResumeRow = Resume {
        Conversation(native: String),
        Latest,
    }
}

mirror! {
    struct PolicyRow = Policy {
        allow: Vec<String>,
        deny: Vec<String>,
    }
}

mirror! {
    struct ProcessesRow = Processes {
        runner: Incarnation,
        agent: Incarnation,
        supervisor: String,
    }
}

mirror! {
    enum PhaseRow = Phase {
        Starting,
        Live,
        Unseen { since: Timestamp, why: UnknownReason, was_ready: bool, },
        Exited { end: SessionEnd, at: Timestamp, },
    }
}

mirror! {
    enum HoldRow = Hold {
        Off,
        AfterInterrupt,
        ByHand,
    }
}

mirror! {
    struct GoalRow = Goal {
        objective: String,
        status: String,
        token_budget: Option<u64>,
    }
}

mirror! {
    struct BasisRow = Basis {
        source: Source,
        at: Timestamp,
        said: String,
    }
}

mirror! {
    struct StoppingRow = Stopping {
        at: Timestamp,
        force: bool,
        by: Option<SessionId>,
    }
}

mirror! {
    enum WorkRow = Work {
        Idle,
        Turn(turn: RunningTurn),
    }
}

mirror! {
    struct RunningTurnRow = RunningTurn {
        number: TurnNumber,
        origin: TurnOrigin,
        started_at: Timestamp,
        messages: Vec<MessageId>,
        interrupt_asked_at: Option<Timestamp>,
    } beside { requests }
}

mirror! {
    struct SessionRow = Session {
        id: SessionId,
        name: SessionName,
        profile: Profile,
        parent: Option<SessionId>,
        created_at: Timestamp,
        last_used_at: Timestamp,
        phase: Phase,
        work: Work,
        stopping: Option<Stopping>,
        hold: Hold,
        processes: Option<Processes>,
        conversation: Option<String>,
        goal: Option<Goal>,
        #[serde(default)]
        contacts: Vec<SessionId>,
        basis: Basis,
        turns_begun: u32,
        last_turn: Option<EndedTurn>,
        ready: Vec<MessageId>,
        stop_next: Option<MessageId>,
        interrupted_by: Option<SessionId>,
        unclear: Option<MessageId>,
        cursor: u64,
        revivals: u32,
        turns_before: u32,
    } beside { messages }
}

/// Gives a session back a message of its queue.
pub(crate) fn attach_message(session: &mut Session, message: Message) {
    session.messages.insert(message.id, message);
}

/// Gives a running turn back a request that is open in it. One of a turn that has ended blocks nobody any more.
pub(crate) fn attach_request(session: &mut Session, request: Request) {
    match &mut session.work {
        Work::Turn(turn) if turn.number == request.turn => {
            turn.requests.insert(request.id, request);
        }
        Work::Turn(_) | Work::Idle => {}
    }
}
