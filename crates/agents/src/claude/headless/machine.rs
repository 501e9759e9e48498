//! What a session's journal tells, record by record: the same records give the same state, whoever reads them and when.

use std::collections::BTreeMap;

use adjutant_core::agent::{AgentReport, Evidence, RequestEnd, StartFailure, TurnEnd, TurnOrigin, Usage};
use adjutant_core::id::Attempt;
use adjutant_core::outcome::{FailReason, Outcome, UnknownReason};
use adjutant_core::session::{Policy, Profile, Resume};
use adjutant_core::{MessageId, SessionId, Timestamp};

use super::hear::{Ended, Heard, Said, State, read};
use super::speak::{Tag, message_of};
use crate::claude::answer::ended;
use crate::claude::form::Form;
use crate::claude::login;
use crate::claude::requests::{Asked, one_line};
use crate::policy::{Verdict, names, verdict};
use crate::runner::{LentRecord, Told};

/// Who says that a message was taken.
const EVIDENCE_SOURCE: &str = "protocol";

/// A message that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) message: MessageId,
    pub(super) attempt: Attempt,
    /// A turn has taken it up, or it was taken back.
    pub(super) settled: bool,
}

/// A turn, from the first work to the moment at which Claude Code is at rest. What it does by itself in between, such
/// as going on when a subagent has ended, belongs to it.
#[derive(Debug, Default)]
struct Turn {
    /// What the model has said since it last used a tool.
    text: String,
    last: Option<Ended>,
    usage: Usage,
    stopping: bool,
}

/// A session as its journal tells it.
#[derive(Debug)]
pub(super) struct Machine {
    session: SessionId,
    policy: Policy,
    /// It was asked whether it is ready.
    greeted: bool,
    ready: bool,
    /// Why it will never be.
    failure: Option<StartFailure>,
    conversation: Option<String>,
    /// The one that was named on its command line.
    named: Option<String>,
    /// The one in which a turn was seen, so that it is written down.
    spoken_in: Option<String>,
    sent: Vec<Sent>,
    turn: Option<Turn>,
    /// What it asks and nobody has answered; with the verdict of a rule.
    asked: BTreeMap<String, (Asked, Option<Verdict>)>,
    /// Forms of servers of tools that nobody has filled.
    forms: BTreeMap<String, Form>,
    /// What it wants and nobody can give.
    refused: Vec<String>,
    stops: u32,
    /// Work of its own that goes on in the background.
    background: usize,
    /// A person has it.
    lent: Option<Lent>,
    /// How often it was lent.
    lendings: u32,
}

/// A conversation that a person has at a terminal: one turn of theirs, from the moment at which nothing is written to Claude
/// Code any more until it is ready for that again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lent {
    /// Since when.
    pub(super) since: Timestamp,
    /// Where it is.
    pub(super) step: LentStep,
}

/// Where a conversation is that is lent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LentStep {
    /// On its way to the terminal.
    Going,
    /// At the terminal; and whether somebody is there.
    There {
        /// Somebody who may type is there, or may come back at once.
        watched: bool,
    },
    /// The program there has ended, for this reason.
    Over {
        /// Empty where the person left it.
        detail: String,
        /// By a signal, which nobody here had sent.
        killed: bool,
    },
    /// It has been taken back, and is not ready yet.
    Returning {
        /// What became of the person's turn.
        outcome: Outcome,
        /// What more there is to say of that.
        detail: Option<String>,
    },
}

impl Machine {
    /// A session of which nothing has been read. `conversation` is the one that an earlier daemon was told of.
    pub(super) fn new(session: SessionId, profile: &Profile, conversation: Option<String>) -> Self {
        let named = match &profile.resume {
            None => Some(session.to_string()),
            Some(Resume::Conversation(native)) => Some(native.clone()),
            Some(Resume::Latest) => None,
        };
        Self {
            session,
            policy: profile.policy.clone(),
            named,
            spoken_in: None,
            greeted: false,
            ready: false,
            failure: None,
            conversation,
            sent: Vec::new(),
            turn: None,
            asked: BTreeMap::new(),
            forms: BTreeMap::new(),
            refused: Vec::new(),
            stops: 0,
            background: 0,
            lent: None,
            lendings: 0,
        }
    }

    /// It takes up this conversation.
    pub(super) fn resume(&mut self, native: &str) {
        self.named = Some(native.to_owned());
    }

    /// The conversation, once it is known.
    pub(super) fn conversation(&self) -> Option<&str> {
        self.conversation.as_deref()
    }

    /// Whether a turn was seen in this conversation.
    pub(super) fn has_spoken_in(&self, native: &str) -> bool {
        self.spoken_in.as_deref() == Some(native)
    }

    /// It is still to be asked whether it is ready.
    pub(super) fn is_to_be_greeted(&self) -> bool {
        !self.greeted
    }

    /// Whether it has ever accepted messages.
    pub(super) fn is_ready(&self) -> bool {
        self.ready
    }

    /// Why it cannot be used, once that is known.
    pub(super) fn failure(&self) -> Option<&StartFailure> {
        self.failure.as_ref()
    }

    /// Whether a turn runs, of whomever.
    pub(super) fn is_working(&self) -> bool {
        self.turn.is_some() || self.lent.is_some()
    }

    /// How it is lent, if it is.
    pub(super) fn lent(&self) -> Option<&Lent> {
        self.lent.as_ref()
    }

    /// How often it was lent.
    pub(super) fn lendings(&self) -> u32 {
        self.lendings
    }

    /// Why it cannot be lent now.
    pub(super) fn cannot_be_lent(&self) -> Option<&'static str> {
        if !self.ready {
            Some("it is not ready yet")
        } else if !self.asked.is_empty() {
            Some("it waits for an answer")
        } else if self.is_working() || !self.unsettled().is_empty() {
            Some("it is at work")
        } else if self.background > 0 {
            Some("work that it began goes on in the background")
        } else {
            None
        }
    }

    /// It was seen to talk in another conversation, at a terminal.
    pub(super) fn talks_in(&mut self, conversation: String) {
        self.conversation = Some(conversation);
    }

    /// The number of the next wish to stop a turn.
    pub(super) fn next_stop(&self) -> u32 {
        self.stops + 1
    }

    /// What an open request asks.
    pub(super) fn asked(&self, native: &str) -> Option<&Asked> {
        self.asked.get(native).map(|(asked, _)| asked)
    }

    /// Whether a form is open.
    pub(super) fn has_form(&self, native: &str) -> bool {
        self.forms.contains_key(native)
    }

    /// The requests that a rule answers and that have no answer yet.
    pub(super) fn ruled(&self) -> Vec<(String, Asked, Verdict)> {
        let ruled = |(native, (asked, verdict)): (&String, &(Asked, Option<Verdict>))| {
            verdict.map(|verdict| (native.clone(), asked.clone(), verdict))
        };
        self.asked.iter().filter_map(ruled).collect()
    }

    /// What it wants of its host and nobody can give, and has not been told so.
    pub(super) fn refused(&self) -> Vec<String> {
        self.refused.clone()
    }

    /// Whether a message was written.
    pub(super) fn knows(&self, message: MessageId, attempt: Attempt) -> bool {
        self.sent.iter().any(|sent| sent.message == message && sent.attempt == attempt)
    }

    /// Messages that were written and that no turn has taken up.
    pub(super) fn unsettled(&self) -> Vec<Sent> {
        self.sent.iter().filter(|sent| !sent.settled).copied().collect()
    }

    /// Something was written.
    pub(super) fn on_written(&mut self, tag: &str) -> Vec<Told> {
        match Tag::read(tag) {
            Some(Tag::Hello(_)) => self.greeted = true,
            Some(Tag::Message(message, attempt)) => {
                // Only who is ready is written messages; the beginning of a long journal may be gone.
                (self.greeted, self.ready) = (true, true);
                self.sent.retain(|sent| !sent.settled);
                self.sent.push(Sent { message, attempt, settled: false });
            }
            Some(Tag::Answer(native)) => {
                self.asked.remove(&native);
                self.forms.remove(&native);
                return vec![closed(native, RequestEnd::Answered)];
            }
            Some(Tag::Rule(native)) => return self.on_ruled(&native).into_iter().collect(),
            Some(Tag::Refusal(native)) => self.refused.retain(|refused| *refused != native),
            Some(Tag::Stop(number)) => {
                self.stops = self.stops.max(number);
                if let Some(turn) = &mut self.turn {
                    turn.stopping = true;
                }
            }
            None => {}
        }
        Vec::new()
    }

    /// It is lent, or comes back.
    pub(super) fn on_lent(&mut self, record: &LentRecord, at: Timestamp) -> Vec<Told> {
        let go = |lent: &mut Option<Lent>, step| {
            let since = lent.as_ref().map_or(at, |lent| lent.since);
            *lent = Some(Lent { since, step });
        };
        match record {
            LentRecord::Begun => {
                self.lendings += 1;
                self.lent = Some(Lent { since: at, step: LentStep::Going });
                return vec![(AgentReport::TurnStarted { origin: TurnOrigin::Person }, None)];
            }
            LentRecord::Shown => go(&mut self.lent, LentStep::There { watched: true }),
            LentRecord::Watched { by_anybody } => go(&mut self.lent, LentStep::There { watched: *by_anybody }),
            LentRecord::Over { detail, killed } => {
                go(&mut self.lent, LentStep::Over { detail: detail.clone(), killed: *killed });
            }
            LentRecord::Back { cut, unseen } => {
                let (outcome, detail) = outcome_there(self.lent.as_ref().map(|lent| &lent.step), *cut, *unseen);
                go(&mut self.lent, LentStep::Returning { outcome, detail });
                (self.greeted, self.background) = (false, 0);
            }
            LentRecord::Unknown => {}
        }
        Vec::new()
    }

    fn on_ruled(&mut self, native: &str) -> Option<Told> {
        let (asked, verdict) = self.asked.remove(native)?;
        let decision = match verdict? {
            Verdict::Allow => "allow",
            Verdict::Deny => "deny",
        };
        let summary = asked.summary();
        Some((AgentReport::PolicyApplied { tool: asked.tool, decision: decision.to_owned(), summary }, None))
    }

    /// A line came.
    pub(super) fn on_line(&mut self, line: &str, at: Timestamp) -> Vec<Told> {
        let Heard { said, conversation } = read(line);
        let mut told = Vec::new();
        // Before it is ready it tells only why it will not be, and of that its exit and its complaints tell more.
        let conversation = conversation.filter(|_| self.ready);
        if let Some(native) = conversation.filter(|native| self.conversation.as_ref() != Some(native)) {
            self.conversation = Some(native.clone());
            told.push((AgentReport::Conversation { native }, None));
        }
        for said in said {
            self.on_said(said, at, &mut told);
        }
        told
    }

    fn on_said(&mut self, said: Said, at: Timestamp, told: &mut Vec<Told>) {
        match said {
            Said::Hello { logged_in: true } => self.on_ready(told),
            Said::Hello { logged_in: false } => {
                self.failure = Some(login::missing());
            }
            Said::Refused(why) => {
                let detail = format!("Claude Code does not get ready: {why}");
                self.failure = Some(StartFailure::AgentStartFailed { detail });
            }
            Said::Stopping => {
                told.push((AgentReport::InterruptPassed { detail: "by its own protocol".to_owned() }, None));
            }
            Said::Started(uuid) => self.on_started(&uuid, "command_lifecycle started", at, told),
            Said::Cancelled(uuid) => self.on_cancelled(&uuid, told),
            // What comes of being taken up again is no work.
            Said::State(_) | Said::Result(_) if self.lent.is_some() => {}
            Said::Background(tasks) => self.background = tasks,
            Said::State(State::Running) if self.turn.is_none() && self.unsettled().is_empty() && self.ready => {
                self.turn = Some(Turn::default());
                told.push((AgentReport::TurnStarted { origin: TurnOrigin::Agent }, None));
            }
            Said::State(State::Running | State::Waiting) => {}
            Said::State(State::Idle) => self.on_idle(told),
            Said::Result(_) if !self.ready => {}
            Said::Result(ended) => self.on_result(*ended, at, told),
            Said::Text(text) => self.add_text(&text),
            Said::Tool => {
                if let Some(turn) = &mut self.turn {
                    turn.text.clear();
                }
            }
            Said::Asked(native, asked) => self.on_asked(native, asked, told),
            Said::Form(native, form) => {
                told.push((AgentReport::RequestOpened { request: form.request(&native) }, None));
                self.forms.insert(native, form);
            }
            Said::Wants(native, kind) => {
                self.refused.push(native);
                let text = one_line(&format!("Claude Code wants `{kind}` of its host, which nobody here can give"));
                told.push((AgentReport::Notice { text }, None));
            }
            Said::Withdrawn(native) => self.on_withdrawn(native, told),
            // Rules of the user's own refuse as well, and are none of the session's.
            Said::Refuses(tool, words) if names(&self.policy.deny, &tool) => {
                let (decision, summary) = ("deny".to_owned(), one_line(&words));
                told.push((AgentReport::PolicyApplied { tool, decision, summary }, None));
            }
            Said::Refuses(..) => {}
            Said::Notice(text) => told.push((AgentReport::Notice { text: one_line(&text) }, None)),
        }
    }

    fn on_ready(&mut self, told: &mut Vec<Told>) {
        self.ready = true;
        if let (None, Some(native)) = (&self.conversation, self.named.take()) {
            self.conversation = Some(native.clone());
            told.push((AgentReport::Conversation { native }, None));
        }
        told.push((AgentReport::Ready, None));
        if let Some(Lent { step: LentStep::Returning { outcome, detail }, .. }) =
            self.lent.take_if(|lent| matches!(lent.step, LentStep::Returning { .. }))
        {
            told.push((AgentReport::TurnEnded { end: TurnEnd { detail, ..TurnEnd::bare(outcome) } }, None));
        }
    }

    fn on_withdrawn(&mut self, native: String, told: &mut Vec<Told>) {
        self.refused.retain(|refused| *refused != native);
        let form = self.forms.remove(&native);
        if self.asked.remove(&native).is_some_and(|(_, verdict)| verdict.is_none()) || form.is_some() {
            told.push(closed(native, RequestEnd::Withdrawn));
        }
    }

    fn sent_as(&mut self, uuid: &str) -> Option<&mut Sent> {
        let (message, attempt) = message_of(self.session, uuid)?;
        self.sent.iter_mut().find(|sent| sent.message == message && sent.attempt == attempt && !sent.settled)
    }

    fn on_started(&mut self, uuid: &str, said: &str, at: Timestamp, told: &mut Vec<Told>) {
        let Some(sent) = self.sent_as(uuid) else { return };
        sent.settled = true;
        let message = sent.message;
        self.turn.get_or_insert_default();
        self.spoken_in = self.conversation.clone();
        let detail = format!("Claude Code said `{said}` of {uuid}");
        let evidence = Evidence { source: EVIDENCE_SOURCE.to_owned(), detail, at };
        told.push((AgentReport::Taken { message, evidence }, None));
    }

    fn on_cancelled(&mut self, uuid: &str, told: &mut Vec<Told>) {
        let Some(sent) = self.sent_as(uuid) else { return };
        sent.settled = true;
        let Sent { message, attempt, .. } = *sent;
        let detail = "Claude Code took it back before any turn had taken it up".to_owned();
        told.push((AgentReport::NotTaken { message, attempt, detail }, None));
    }

    fn on_result(&mut self, ended: Ended, at: Timestamp, told: &mut Vec<Told>) {
        for uuid in &ended.messages {
            self.on_started(uuid, "result", at, told);
        }
        let turn = self.turn.get_or_insert_with(|| {
            told.push((AgentReport::TurnStarted { origin: TurnOrigin::Agent }, None));
            Turn::default()
        });
        turn.usage.input_tokens += ended.usage.input_tokens;
        turn.usage.output_tokens += ended.usage.output_tokens;
        turn.usage.cache_read_tokens += ended.usage.cache_read_tokens;
        turn.usage.cache_write_tokens += ended.usage.cache_write_tokens;
        turn.last = Some(ended);
        self.spoken_in = self.conversation.clone();
    }

    fn on_idle(&mut self, told: &mut Vec<Told>) {
        self.asked.clear();
        self.forms.clear();
        let Some(turn) = self.turn.take() else { return };
        let Turn { text, last, usage, stopping } = turn;
        let (outcome, answer, detail) = match last {
            Some(ended) => (ended.outcome, ended.text.unwrap_or(text), ended.detail),
            None if stopping => (Outcome::Interrupted, text, None),
            None => {
                let detail = "Claude Code came to rest without a result".to_owned();
                (Outcome::Unknown { why: UnknownReason::EndUnseen { detail } }, text, None)
            }
        };
        let (end, answer) = ended(outcome, detail.map(|detail| one_line(&detail)), &answer);
        let end = TurnEnd { usage: Some(usage), ..end };
        told.push((AgentReport::TurnEnded { end }, Some(answer.into())));
    }

    fn on_asked(&mut self, native: String, asked: Asked, told: &mut Vec<Told>) {
        let ruling = if asked.is_question() { None } else { verdict(&self.policy, &asked.tool, &asked.what()) };
        if ruling.is_none() {
            told.push((AgentReport::RequestOpened { request: asked.request(&native) }, None));
        }
        self.asked.insert(native, (asked, ruling));
    }

    fn add_text(&mut self, text: &str) {
        let Some(turn) = &mut self.turn else { return };
        if !turn.text.is_empty() {
            turn.text.push('\n');
        }
        turn.text.push_str(text);
    }
}

/// What became of a person's turn at a terminal.
fn outcome_there(step: Option<&LentStep>, cut: bool, unseen: bool) -> (Outcome, Option<String>) {
    match step {
        Some(LentStep::Over { detail, killed: true }) => (Outcome::Exited, Some(detail.clone())),
        Some(LentStep::Over { detail, killed: false }) if !detail.is_empty() => {
            (Outcome::Failed { reason: FailReason::AgentError }, Some(detail.clone()))
        }
        Some(LentStep::Over { .. } | LentStep::Going | LentStep::There { .. } | LentStep::Returning { .. }) | None => {
            let detail = "nobody was at the terminal any more, and Claude Code did not say what it was at";
            let unknown = UnknownReason::EndUnseen { detail: detail.to_owned() };
            (
                if unseen {
                    Outcome::Unknown { why: unknown }
                } else if cut {
                    Outcome::Interrupted
                } else {
                    Outcome::Completed
                },
                None,
            )
        }
    }
}

fn closed(native: String, end: RequestEnd) -> Told {
    (AgentReport::RequestClosed { native, end }, None)
}

#[cfg(test)]
mod tests;
