//! What the lines of the spool mean: turns, messages and requests. Pure, so that a restarted daemon reads the whole spool
//! again, in silence up to where it was, and knows what it knew.

use std::collections::BTreeMap;
use std::path::PathBuf;

use adjutant_core::agent::{AgentReport, Evidence, RequestEnd, TurnEnd, TurnOrigin};
use adjutant_core::id::Attempt;
use adjutant_core::outcome::{FailReason, Outcome, UnknownReason};
use adjutant_core::session::Policy;
use adjutant_core::{MessageId, Timestamp};
use serde::{Deserialize, Serialize};

use super::ask::{self, Asked};
use super::text::{bones, mark};
use crate::claude::answer::{ended, failed};
use crate::claude::hooks::{Line, refused};
use crate::claude::requests::Asked as Tool;
use crate::{Verdict, verdict};

/// A report, and the text of the answer beside it.
pub(super) type Told = (AgentReport, Option<String>);

/// What a driver notes in the spool about itself.
pub(super) const TYPED: &str = "adj.typed";
/// See [`TYPED`].
pub(super) const NOT_SEEN: &str = "adj.not_seen";
/// See [`TYPED`].
pub(super) const ENTERING: &str = "adj.entering";
/// See [`TYPED`].
pub(super) const TAKEN_BACK: &str = "adj.taken_back";
/// See [`TYPED`].
pub(super) const FOUND: &str = "adj.found";
/// See [`TYPED`].
pub(super) const ANSWERED: &str = "adj.answered";
/// See [`TYPED`].
pub(super) const INTERRUPTED: &str = "adj.interrupted";
/// See [`TYPED`].
pub(super) const LEVEL: &str = "adj.level";

/// See [`TYPED`].
pub(super) const RESTED: &str = "adj.rested";

/// All that is known while nothing runs: what stands before it in the spool need not be read again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RestedNote {
    /// Where the line ends behind which this holds. If another came in between, it does not.
    pub(super) behind: u64,
    conversation: Option<String>,
    transcript: Option<PathBuf>,
    rest_since: i64,
    closed_at: i64,
    late: Option<TypedNote>,
    last_typed: Option<(u64, u32)>,
}

/// A message that is about to be typed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TypedNote {
    pub(super) message: u64,
    pub(super) attempt: u32,
    /// The text, to know it again: its length and a sum over it.
    pub(super) mark: (u64, u64),
    /// The same of its letters and digits alone.
    pub(super) bones: (u64, u64),
    /// What differs from the message.
    pub(super) changes: Vec<String>,
    /// It is a command of the agent's, of which no hook tells.
    pub(super) command: bool,
    /// It is long, and is not sent before another note says that its end is typed.
    #[serde(default)]
    pub(super) long: bool,
}

/// An answer that was given to a request.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct AnsweredNote {
    pub(super) id: String,
}

/// What the status file showed that no hook had told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "level", rename_all = "snake_case")]
pub(super) enum LevelNote {
    /// The turn is over, without a word.
    Quiet { end: QuietEnd, detail: String },
    /// The turn is over, as its last word had announced.
    Rested,
    /// A turn runs that nobody had announced, since then.
    Working { since: i64 },
    /// Somebody at the terminal has answered what was open.
    AnsweredThere,
    /// The command that was typed is at work, or has opened a dialog: it is one.
    Shown,
    /// A dialog is open that no hook tells of.
    Dialog { id: String, what: String },
}

/// What is known of an end without a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum QuietEnd {
    /// Somebody stopped it.
    Interrupted,
    /// It was a command that was carried out.
    Command,
    /// It was a command that there is not.
    Refused,
    /// Nothing.
    Unknown,
}

/// The running turn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Turn {
    /// When it began, in milliseconds of the wall clock.
    pub(super) began_at: i64,
    /// Its prompt, by the agent's id.
    prompt: String,
    /// Prompts that were sent while it ran, and have not been seen to be taken.
    queued: usize,
    /// Somebody asked for its end.
    pub(super) interrupt_asked: bool,
    /// The message of ours that began it, as [`TypedNote`] has its `bones`.
    pub(super) ours: Option<(u64, u64)>,
    /// It has said its last word, and something of it still runs, or a prompt waits behind it.
    pub(super) said: Option<String>,
    /// It is a command of the agent's own.
    pub(super) command: bool,
    /// It is a command that has shown that it is carried out.
    pub(super) shown: bool,
}

/// What was folded.
#[derive(Debug, Default)]
pub(super) struct Machine {
    policy: Policy,
    pub(super) ready: bool,
    pub(super) turn: Option<Turn>,
    /// When the last turn ended.
    pub(super) rest_since: i64,
    /// The message that was typed and of which nothing was heard.
    pub(super) pending: Option<TypedNote>,
    pub(super) pending_since: i64,
    /// The message that was given up as unclear last; it may still be taken.
    late: Option<TypedNote>,
    /// The handing-over that was typed last, whatever became of it.
    pub(super) last_typed: Option<(MessageId, Attempt)>,
    /// Open requests, by the name under which an answer is filed, with when they were put.
    pub(super) requests: BTreeMap<String, (i64, Asked)>,
    /// When a question was closed last, in milliseconds of the wall clock.
    pub(super) closed_at: i64,
    /// Answers that rules have given and that have to be filed.
    pub(super) decided: Vec<(String, String)>,
    /// Calls whose questions are closed without an answer of ours.
    pub(super) released: Vec<String>,
    pub(super) conversation: Option<String>,
    pub(super) transcript: Option<PathBuf>,
    /// The agent has said that it ends.
    pub(super) leaving: bool,
}

/// What hooks tell, as far as it is needed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Payload {
    session_id: String,
    transcript_path: Option<PathBuf>,
    prompt_id: Option<String>,
    agent_id: Option<String>,
    prompt: String,
    source: String,
    reason: String,
    last_assistant_message: Option<String>,
    background_tasks: Vec<Task>,
    error: String,
    error_details: Option<String>,
    notification_type: String,
    message: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Task {
    r#type: String,
    status: String,
}

/// How a prompt begins that the agent has put to itself.
const OWN_PROMPT: &str = "<task-notification>";

impl Machine {
    pub(super) fn new(policy: Policy) -> Self {
        Self { policy, ..Self::default() }
    }

    /// Takes a line in, and gives what is to be reported of it.
    pub(super) fn take(&mut self, line: &Line) -> Vec<Told> {
        let note = line.payload.get();
        match line.event.as_str() {
            TYPED => self.on_typed(line.at, note),
            NOT_SEEN => {
                self.late = self.pending.take();
                Vec::new()
            }
            ENTERING => {
                self.pending.iter_mut().for_each(|typed| typed.long = false);
                self.pending_since = line.at;
                Vec::new()
            }
            TAKEN_BACK => {
                (self.pending, self.last_typed) = (None, None);
                Vec::new()
            }
            FOUND => self.on_found(line.at, note),
            ANSWERED => self.on_answered(line.at, note),
            INTERRUPTED => {
                self.turn.iter_mut().for_each(|turn| turn.interrupt_asked = true);
                Vec::new()
            }
            LEVEL => self.on_level(line.at, note),
            RESTED => {
                self.on_rested(note);
                Vec::new()
            }
            event => self.on_hook(line, event, note),
        }
    }

    /// What is known, while nothing runs and nothing is open; `behind` is where the line ends that was read last.
    pub(super) fn rested(&self, behind: u64) -> Option<RestedNote> {
        let rests = self.ready && !self.leaving && self.turn.is_none() && self.pending.is_none();
        (rests && self.requests.is_empty()).then(|| RestedNote {
            behind,
            conversation: self.conversation.clone(),
            transcript: self.transcript.clone(),
            rest_since: self.rest_since,
            closed_at: self.closed_at,
            late: self.late.clone(),
            last_typed: self.last_typed.map(|(message, attempt)| (message.get(), attempt.get())),
        })
    }

    fn on_rested(&mut self, note: &str) {
        let Ok(rested) = serde_json::from_str::<RestedNote>(note) else { return };
        *self = Self {
            policy: std::mem::take(&mut self.policy),
            ready: true,
            conversation: rested.conversation,
            transcript: rested.transcript,
            rest_since: rested.rest_since,
            closed_at: rested.closed_at,
            late: rested.late,
            last_typed: rested.last_typed.map(|(message, attempt)| (MessageId::new(message), Attempt::new(attempt))),
            decided: std::mem::take(&mut self.decided),
            released: std::mem::take(&mut self.released),
            ..Self::default()
        };
    }

    fn on_typed(&mut self, at: i64, note: &str) -> Vec<Told> {
        let Ok(typed) = serde_json::from_str::<TypedNote>(note) else { return Vec::new() };
        self.last_typed = Some(handing(&typed));
        if typed.command {
            // Nothing confirms a command; that it was typed into an empty, idle line is all that can be known.
            self.begin(at, "command");
            self.turn.iter_mut().for_each(|turn| turn.command = true);
            return vec![taken(&typed, at, "it was typed as a command")];
        }
        self.pending = Some(typed);
        self.pending_since = at;
        Vec::new()
    }

    /// The transcript has what no hook told.
    fn on_found(&mut self, at: i64, detail: &str) -> Vec<Told> {
        let Some(typed) = self.pending.take() else { return Vec::new() };
        self.begin(at, "found");
        vec![taken(&typed, at, serde_json::from_str::<String>(detail).as_deref().unwrap_or("the transcript has it"))]
    }

    fn on_answered(&mut self, at: i64, note: &str) -> Vec<Told> {
        self.closed_at = at;
        let Ok(answered) = serde_json::from_str::<AnsweredNote>(note) else { return Vec::new() };
        self.close(&answered.id, RequestEnd::Answered)
    }

    fn close(&mut self, id: &str, end: RequestEnd) -> Vec<Told> {
        if end != RequestEnd::Answered {
            self.released.push(id.to_owned());
        }
        let closed = self.requests.remove(id).map(|_| AgentReport::RequestClosed { native: id.to_owned(), end });
        closed.map(|report| (report, None)).into_iter().collect()
    }

    fn on_level(&mut self, at: i64, note: &str) -> Vec<Told> {
        match serde_json::from_str::<LevelNote>(note) {
            Ok(LevelNote::Quiet { end, detail }) => self.end(at, ended_quietly(end, detail)),
            Ok(LevelNote::Rested) => {
                let said = self.turn.as_mut().and_then(|turn| turn.said.take()).unwrap_or_default();
                self.end(at, ended(Outcome::Completed, None, &said))
            }
            Ok(LevelNote::Working { since }) => self.begin_seen(since, "unannounced", TurnOrigin::Agent),
            Ok(LevelNote::AnsweredThere) => {
                self.closed_at = at;
                let open: Vec<String> = self.requests.keys().cloned().collect();
                open.iter().flat_map(|id| self.close(id, RequestEnd::AnsweredThere)).collect()
            }
            Ok(LevelNote::Shown) => {
                self.on_shown();
                Vec::new()
            }
            Ok(LevelNote::Dialog { id, what }) => self.put(at, id, ask::dialog(&what)),
            Err(_) => Vec::new(),
        }
    }

    fn on_hook(&mut self, line: &Line, event: &str, note: &str) -> Vec<Told> {
        let payload: Payload = serde_json::from_str(note).unwrap_or_default();
        if let Some(path) = &payload.transcript_path {
            self.transcript = Some(path.clone());
        }
        match event {
            "SessionStart" => self.on_session_start(&payload),
            "UserPromptSubmit" => self.on_prompt(line.at, &payload),
            "PermissionRequest" | "Elicitation" => self.on_question(line, note),
            "PreToolUse" => refused(note).map(|asked| (ruled(&asked, Verdict::Deny), None)).into_iter().collect(),
            "Stop" if payload.agent_id.is_none() => self.on_stop(line.at, &payload),
            "StopFailure" if payload.agent_id.is_none() => self.on_failure(line.at, &payload),
            "PreCompact" => notice("the conversation is being shortened"),
            "PostCompact" => notice("the conversation has been shortened"),
            "Notification" if payload.notification_type == "agent_needs_input" => notice(&payload.message),
            "SessionEnd" => {
                self.leaving = payload.reason != "clear";
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn on_session_start(&mut self, payload: &Payload) -> Vec<Told> {
        let mut told = self.converse(&payload.session_id);
        self.leaving = false;
        if !std::mem::replace(&mut self.ready, true) {
            told.push((AgentReport::Ready, None));
        } else if payload.source == "clear" {
            self.on_shown();
            told.extend(notice("the conversation was cleared"));
        }
        told
    }

    fn on_shown(&mut self) {
        self.turn.iter_mut().for_each(|turn| turn.shown = turn.command);
    }

    fn converse(&mut self, native: &str) -> Vec<Told> {
        if native.is_empty() || self.conversation.as_deref() == Some(native) {
            return Vec::new();
        }
        self.conversation = Some(native.to_owned());
        vec![(AgentReport::Conversation { native: native.to_owned() }, None)]
    }

    /// A prompt was accepted. Ours is known by its text; of a running turn it says the turn's own id.
    fn on_prompt(&mut self, at: i64, payload: &Payload) -> Vec<Told> {
        let id = payload.prompt_id.clone().unwrap_or_default();
        let joins = self.turn.as_ref().is_some_and(|turn| turn.prompt == id && !id.is_empty());
        if let Some(turn) = self.turn.as_mut().filter(|_| joins) {
            turn.queued += 1;
        } else if let Some(turn) = self.turn.as_mut() {
            // A prompt of its own while a turn is on record: what ran has gone over into it.
            turn.prompt = id.clone();
            turn.said = None;
        }
        let is_it =
            |typed: &mut TypedNote| mark(&payload.prompt) == typed.mark || bones(&payload.prompt) == typed.bones;
        let ours = self.pending.take_if(is_it).or_else(|| self.late.take_if(is_it));
        let origin = match &ours {
            Some(typed) => TurnOrigin::Message(MessageId::new(typed.message)),
            None if payload.prompt.starts_with(OWN_PROMPT) => TurnOrigin::Agent,
            None => TurnOrigin::Person,
        };
        match ours {
            Some(typed) => {
                if self.begin(at, &id) {
                    self.turn.iter_mut().for_each(|turn| turn.ours = Some(typed.bones));
                }
                let how =
                    if mark(&payload.prompt) == typed.mark { "the same text" } else { "a text that it has changed" };
                vec![taken(&typed, at, &format!("UserPromptSubmit with {how}, prompt {id}"))]
            }
            None => self.begin_seen(at, &id, origin),
        }
    }

    fn begin(&mut self, at: i64, prompt: &str) -> bool {
        if self.turn.is_some() {
            return false;
        }
        self.turn = Some(Turn { began_at: at, prompt: prompt.to_owned(), ..Turn::default() });
        true
    }

    fn begin_seen(&mut self, at: i64, prompt: &str, origin: TurnOrigin) -> Vec<Told> {
        let began = self.begin(at, prompt);
        began.then_some((AgentReport::TurnStarted { origin }, None)).into_iter().collect()
    }

    fn on_stop(&mut self, at: i64, payload: &Payload) -> Vec<Told> {
        let said = payload.last_assistant_message.clone().unwrap_or_default();
        let runs_on = payload.background_tasks.iter().any(|task| task.status == "running" && task.r#type != "shell");
        match self.turn.as_mut() {
            // What it has started goes on, and comes back to it; or a prompt waits that may have been read already.
            Some(turn) if runs_on || turn.queued > 0 => {
                turn.said = Some(said);
                turn.queued = 0;
                Vec::new()
            }
            Some(_) => self.end(at, ended(Outcome::Completed, None, &said)),
            None => Vec::new(),
        }
    }

    fn on_failure(&mut self, at: i64, payload: &Payload) -> Vec<Told> {
        let reason = match payload.error.as_str() {
            "rate_limit" => FailReason::RateLimited,
            "authentication_failed" => FailReason::Auth,
            "server_error" | "max_output_tokens" | "unknown" => FailReason::ApiError,
            "invalid_request" => invalid(payload),
            _ => FailReason::AgentError,
        };
        let said = payload.last_assistant_message.clone().unwrap_or_default();
        self.end(at, failed(reason, payload.error_details.as_deref().unwrap_or(&said)))
    }

    fn end(&mut self, at: i64, (end, answer): (TurnEnd, String)) -> Vec<Told> {
        self.rest_since = at;
        self.released.extend(std::mem::take(&mut self.requests).into_keys());
        let ended = self.turn.take().map(|_| (AgentReport::TurnEnded { end }, Some(answer)));
        ended.into_iter().collect()
    }

    fn on_question(&mut self, line: &Line, note: &str) -> Vec<Told> {
        let Some(asked) = ask::read(note) else { return Vec::new() };
        let ruling = asked.for_rules().and_then(|tool| Some((tool, verdict(&self.policy, &tool.tool, &tool.what())?)));
        let Some((tool, ruling)) = ruling else { return self.put(line.at, line.id.clone(), asked) };
        self.closed_at = line.at;
        self.decided.push((line.id.clone(), ask::ruled(tool, ruling)));
        vec![(ruled(tool, ruling), None)]
    }

    fn put(&mut self, at: i64, id: String, asked: Asked) -> Vec<Told> {
        // Who puts a question of its own is no longer held by a dialog.
        let dialogs = self.requests.iter().filter(|(_, (_, open))| !open.is_answerable());
        let dialogs: Vec<String> = dialogs.map(|(id, _)| id.clone()).collect();
        let mut told: Vec<Told> = dialogs.iter().flat_map(|id| self.close(id, RequestEnd::AnsweredThere)).collect();
        let request = asked.request(&id);
        self.requests.insert(id, (at, asked));
        told.extend(self.begin_seen(at, "asked", TurnOrigin::Agent));
        told.push((AgentReport::RequestOpened { request }, None));
        told
    }
}

fn ruled(asked: &Tool, ruling: Verdict) -> AgentReport {
    let decision = match ruling {
        Verdict::Allow => "allow",
        Verdict::Deny => "deny",
    };
    let (tool, summary) = (asked.tool.clone(), asked.summary());
    AgentReport::PolicyApplied { tool, decision: decision.to_owned(), summary }
}

fn ended_quietly(end: QuietEnd, detail: String) -> (TurnEnd, String) {
    let (outcome, detail) = match end {
        QuietEnd::Refused => return failed(FailReason::AgentError, &detail),
        QuietEnd::Interrupted => (Outcome::Interrupted, (!detail.is_empty()).then_some(detail)),
        QuietEnd::Command => (Outcome::Completed, None),
        QuietEnd::Unknown => (Outcome::Unknown { why: UnknownReason::EndUnseen { detail } }, None),
    };
    ended(outcome, detail, "")
}

fn invalid(payload: &Payload) -> FailReason {
    let words = payload.last_assistant_message.as_deref().unwrap_or_default();
    if words.contains("safeguards flagged") {
        FailReason::Refused
    } else if payload.error_details.as_deref().is_some_and(|details| details.contains("413")) {
        FailReason::ContextFull
    } else {
        FailReason::ApiError
    }
}

fn notice(text: &str) -> Vec<Told> {
    vec![(AgentReport::Notice { text: text.to_owned() }, None)]
}

fn taken(typed: &TypedNote, at: i64, what: &str) -> Told {
    (taken_report(typed, at, what), None)
}

/// The report that a message was taken, with what shows it.
pub(super) fn taken_report(typed: &TypedNote, at: i64, what: &str) -> AgentReport {
    let changes = if typed.changes.is_empty() { String::new() } else { format!("; {}", typed.changes.join("; ")) };
    let evidence =
        Evidence { source: "hook".to_owned(), detail: format!("{what}{changes}"), at: Timestamp::from_millis(at) };
    AgentReport::Taken { message: MessageId::new(typed.message), evidence }
}

/// The handing-over that a note tells of.
pub(super) fn handing(typed: &TypedNote) -> (MessageId, Attempt) {
    (MessageId::new(typed.message), Attempt::new(typed.attempt))
}

#[cfg(test)]
mod tests;
