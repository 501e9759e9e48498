//! Sessions and requests on the wire.

use adjutant_agents::process::liveness;
use adjutant_api::ErrorCode;
use adjutant_api::types::request::{Question, QuestionOption, Request as WireRequest, RequestOption};
use adjutant_api::types::session::{
    CurrentTurn, LastTurn, Session as WireSession, SessionExit, SourceWord, Statement, StatusWord, Why,
};
use adjutant_core::agent::{SessionEnd, Source, StartFailure};
use adjutant_core::process::{Incarnation, Liveness};
use adjutant_core::request::Request;
use adjutant_core::session::{Phase, Session};
use adjutant_core::turn::EndedTurn;
use adjutant_core::{Caller, Host, SessionId, Timestamp};
use serde_json::Value;

use super::{time, words};

/// The name of a session that others know it by; its UUID where its record is gone.
pub(crate) fn caller_name(host: &Host, id: SessionId) -> String {
    host.session(id).map_or_else(|| id.to_string(), |session| session.name.to_string())
}

/// Who calls, as others are told it.
pub(crate) fn name_of(host: &Host, caller: Caller) -> String {
    match caller {
        Caller::Human => "human".to_owned(),
        Caller::Session(id) => caller_name(host, id),
        Caller::Token(id) => format!("token {id}"),
    }
}

/// A session as `adj status --json` shows it.
pub(crate) fn session(host: &Host, session: &Session, now: Timestamp) -> WireSession {
    let profile = &session.profile;
    let made = profile.worktree.as_ref().and_then(|tree| tree.made.as_ref());
    WireSession {
        id: session.name.to_string(),
        uuid: session.id.to_string(),
        cli: profile.agent.to_string(),
        mode: words::mode(profile.mode),
        status: words::status(session.status()),
        source: words::source(source(host, session)),
        observed_at: time(session.basis.at),
        why: unknown_why(host, session),
        resumable: host.is_resumable(session),
        path: profile.path.clone(),
        project: profile.project.clone(),
        worktree: profile.worktree.as_ref().map(|tree| tree.top.clone()),
        checkout: profile.worktree.as_ref().map(|tree| tree.checkout.clone()),
        workspace: made.map(|made| made.id.clone()),
        branch: made.map(|made| made.branch.clone()),
        host: None,
        description: profile.description.clone(),
        model: profile.model.clone(),
        effort: profile.effort.clone(),
        headless: profile.headless,
        parent: session.parent.map(|parent| caller_name(host, parent)),
        agent_session: session.conversation.clone(),
        created_at: time(session.created_at),
        last_used_at: time(session.last_used_at),
        turn: session.turn().map(|turn| CurrentTurn {
            number: turn.number.get(),
            started_at: time(turn.started_at),
            quiet_for_ms: now.millis_since(session.basis.at),
        }),
        last_turn: session.last_turn.as_ref().map(last_turn),
        pending: session.requests().map(|r| request(session, r)).collect(),
        lent: session.lent_since().is_some(),
        queued: session.queued() as u64,
        held: session.hold != adjutant_core::session::Hold::Off,
        goal: session.goal.as_ref().map(goal),
        exit: exit(session),
    }
}

/// Where the present status comes from. The log says of an agent's own word only that it is that; by which way its
/// word comes, its capabilities say.
fn source(host: &Host, session: &Session) -> Source {
    match session.basis.source {
        Source::ControlPipe if session.profile.headless => Source::Protocol,
        Source::ControlPipe => host.capabilities(session).map_or(Source::ControlPipe, |can| can.source),
        source @ (Source::Daemon
        | Source::Runner
        | Source::Process
        | Source::Protocol
        | Source::Hook
        | Source::StatusFile) => source,
    }
}

/// What is on record of a goal; what it has cost, the agent is asked by `adj goal`.
pub(crate) fn goal(goal: &adjutant_core::session::Goal) -> serde_json::Value {
    serde_json::json!({"objective": goal.objective, "status": goal.status, "token_budget": goal.token_budget})
}

fn last_turn(turn: &EndedTurn) -> LastTurn {
    LastTurn {
        number: turn.number.get(),
        outcome: words::outcome(&turn.end.outcome),
        ended_at: time(turn.ended_at),
        exit_code: turn.end.exit.map(adjutant_core::ExitStatus::shell_code),
    }
}

fn exit(session: &Session) -> Option<SessionExit> {
    let Phase::Exited { end, at } = &session.phase else { return None };
    let exit_code = match end {
        SessionEnd::Ended { exit } => Some(exit.shell_code()),
        SessionEnd::Killed | SessionEnd::Lost { .. } | SessionEnd::StartFailed { .. } => None,
    };
    Some(SessionExit { how: words::end(end), exit_code, detail: exit_detail(end), at: time(*at) })
}

/// The remark that belongs to an end.
pub(crate) fn exit_detail(end: &SessionEnd) -> Option<String> {
    match end {
        SessionEnd::Ended { .. } | SessionEnd::Killed => None,
        SessionEnd::Lost { detail } => Some(detail.clone()),
        SessionEnd::StartFailed { why } => Some(start_failure(why).1),
    }
}

/// The error that a failed start is to its caller.
pub(crate) fn start_failure(why: &StartFailure) -> (ErrorCode, String) {
    let code = match why {
        StartFailure::AgentNotFound { .. } => ErrorCode::AgentNotFound,
        StartFailure::AgentStartFailed { .. } | StartFailure::Withdrawn => ErrorCode::AgentStartFailed,
        StartFailure::AuthRequired { .. } => ErrorCode::AuthRequired,
        StartFailure::TrustRequired { .. } => ErrorCode::TrustRequired,
        StartFailure::NotReady { .. } => ErrorCode::Timeout,
    };
    (code, why.to_string())
}

/// An open request on the wire.
pub(crate) fn request(session: &Session, request: &Request) -> WireRequest {
    let option = |(i, label): (usize, &String)| RequestOption { n: i as u32 + 1, label: label.clone() };
    WireRequest {
        id: request.id.to_string(),
        session: session.name.to_string(),
        host: None,
        kind: words::request_kind(request.asked.kind),
        tool: request.asked.tool.clone(),
        summary: request.asked.summary.clone(),
        input: serde_json::from_str(&request.asked.details).unwrap_or(Value::Null),
        options: request.asked.options.iter().enumerate().map(option).collect(),
        multiple: request.asked.multiple,
        questions: request.asked.questions.iter().map(question).collect(),
        opened_at: time(request.opened_at),
    }
}

fn question(asked: &adjutant_core::agent::Question) -> Question {
    let option = |(i, option): (usize, &adjutant_core::agent::QuestionOption)| QuestionOption {
        n: i as u32 + 1,
        label: option.label.clone(),
        description: option.description.clone(),
    };
    Question {
        label: asked.label.clone(),
        text: asked.text.clone(),
        options: asked.options.iter().enumerate().map(option).collect(),
        multiple: asked.multiple,
        free_text: asked.free_text,
    }
}

/// The reason of a state that nobody knows, for every answer; the whole evidence is `explain`'s.
fn unknown_why(host: &Host, session: &Session) -> Option<Why> {
    let Phase::Unseen { why, .. } = &session.phase else { return None };
    Some(Why {
        summary: words::unknown_text(why),
        evidence: vec![basis(host, session)],
        contradictions: Vec::new(),
        needs: Some("a connection to the session's runner".to_owned()),
        last_known: Some(last_known(session)),
    })
}

fn last_known(session: &Session) -> StatusWord {
    match session.turn() {
        None => StatusWord::Idle,
        Some(turn) if turn.requests.is_empty() => StatusWord::Working,
        Some(_) => StatusWord::WaitingForInput,
    }
}

fn basis(host: &Host, session: &Session) -> Statement {
    let basis = &session.basis;
    Statement { source: words::source(source(host, session)), said: basis.said.clone(), at: time(basis.at) }
}

/// A session with all that its state rests on. Looks at its processes, and changes nothing.
pub(crate) fn explain(host: &Host, known: &Session, now: Timestamp) -> WireSession {
    let mut wire = session(host, known, now);
    let mut evidence = vec![basis(host, known)];
    let mut contradictions = Vec::new();
    if let Some(processes) = &known.processes {
        for (name, process) in [("runner", &processes.runner), ("agent", &processes.agent)] {
            let (said, alive) = process_statement(name, process);
            evidence.push(Statement { source: SourceWord::Process, said, at: time(now) });
            if let Some(text) = contradiction(known, name, alive) {
                contradictions.push(text);
            }
        }
    }
    let needs = wire.why.and_then(|why| why.needs);
    let summary = summary(host, known, now);
    let last_known = matches!(known.phase, Phase::Unseen { .. }).then(|| last_known(known));
    wire.why = Some(Why { summary, evidence, contradictions, needs, last_known });
    wire
}

fn process_statement(name: &str, process: &Incarnation) -> (String, Liveness) {
    let alive = liveness(process);
    let word = match alive {
        Liveness::Alive => "lives",
        Liveness::Dead => "is gone",
        Liveness::Unknown => "cannot be looked at",
    };
    (format!("{name} {word}: pid {}, started at tick {}", process.pid, process.start_ticks), alive)
}

fn contradiction(session: &Session, name: &str, alive: Liveness) -> Option<String> {
    match (session.has_exited(), alive) {
        (true, Liveness::Alive) => Some(format!("the session has exited, and its {name} lives")),
        (false, Liveness::Dead) => Some(format!("the session has not exited, and its {name} is gone")),
        (true, Liveness::Dead | Liveness::Unknown) | (false, Liveness::Alive | Liveness::Unknown) => None,
    }
}

fn summary(host: &Host, session: &Session, now: Timestamp) -> String {
    let age = now.millis_since(session.basis.at);
    let word = words::status(session.status());
    let source = words::source(source(host, session));
    match &session.phase {
        Phase::Unseen { why, .. } => format!("{}: {}", word.as_str(), words::unknown_text(why)),
        Phase::Starting | Phase::Live | Phase::Exited { .. } => {
            let lent = session.lent_since().map_or_else(String::new, |since| {
                let millis = now.millis_since(since);
                format!("; a person has had the conversation at a terminal for {millis} ms, and messages wait for it")
            });
            format!("{}: {} said {} {age} ms ago{lent}", word.as_str(), source.as_str(), session.basis.said)
        }
    }
}
