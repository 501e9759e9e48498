//! Drivers that say things twice, late, or wrongly.

use adjutant_core::SessionId;
use adjutant_core::agent::{
    AgentReport, Evidence, Level, RequestEnd, SessionEnd, StartFailure, TurnEnd, TurnOrigin, Usage,
};
use adjutant_core::id::Attempt;
use adjutant_core::outcome::{ExitStatus, Outcome, UnknownReason};

use super::{Fate, World};
use crate::choices::Choices;
use crate::machine::{Told, outcome, question, started, unclear};

impl World {
    pub(super) fn repeat(&mut self) {
        let ids: Vec<SessionId> = self.machines.keys().copied().collect();
        let Some(session) = self.choices.pick(&ids) else { return };
        let Some(told) = self.machines[&session].repeat(&mut self.choices) else { return };
        let input = self.reported(session, told);
        self.feed(vec![(input, self.now)], Fate::Lives);
    }

    pub(super) fn lie(&mut self) {
        let session = self.some_session();
        let message = self.some_message(session);
        let attempt = Attempt::new(u32::try_from(self.choices.below(3)).unwrap_or(0) + 1);
        let native = format!("q{}", self.choices.below(4));
        let evidence = Evidence { source: "rumour".to_owned(), detail: String::new(), at: self.now.wall };
        let report = match self.choices.below(20) {
            0 => started(1),
            1 => AgentReport::Ready,
            2 if self.choices.once_in(3) => AgentReport::StartFailed { why: StartFailure::Withdrawn },
            3 | 4 => AgentReport::Taken { message, evidence },
            5 if self.choices.once_in(3) => AgentReport::Refused { message, attempt, detail: "rumour".to_owned() },
            5 => AgentReport::NotTaken { message, attempt, detail: "rumour".to_owned() },
            6 => unclear(message, attempt),
            7 => AgentReport::TurnStarted { origin: TurnOrigin::Person },
            8 => AgentReport::TurnEnded { end: TurnEnd::bare(outcome(&mut self.choices)) },
            9 => AgentReport::RequestOpened { request: question(&native) },
            10 => AgentReport::RequestClosed { native, end: RequestEnd::Withdrawn },
            11 => AgentReport::InterruptPassed { detail: "rumour".to_owned() },
            12 => AgentReport::Unseen { why: UnknownReason::Reattaching },
            13 | 14 => AgentReport::Seen { level: Level { working: self.choices.once_in(2) } },
            15 => AgentReport::Conversation { native },
            16 => AgentReport::Notice { text: "rumour".to_owned() },
            17 => AgentReport::TurnCounted { usage: Usage { input_tokens: 1, ..Usage::default() } },
            18 => {
                let (tool, decision) = ("Bash".to_owned(), "allow".to_owned());
                AgentReport::PolicyApplied { tool, decision, summary: native }
            }
            _ if self.choices.once_in(3) => AgentReport::Exited { end: some_end(&mut self.choices) },
            _ => AgentReport::TurnEnded { end: TurnEnd::bare(Outcome::Completed) },
        };
        // No journal tells that its reader has lost sight.
        let in_journal = !matches!(report, AgentReport::Unseen { .. }) && self.choices.once_in(3);
        let cursor = in_journal.then(|| self.choices.below(200) as u64);
        let input = self.reported(session, Told { report, cursor, answer: None });
        self.feed(vec![(input, self.now)], Fate::Lives);
    }
}

fn some_end(choices: &mut Choices) -> SessionEnd {
    match choices.below(4) {
        0 => SessionEnd::Killed,
        1 => SessionEnd::Lost { detail: "rumour".to_owned() },
        2 => SessionEnd::Ended { exit: ExitStatus::Signal(9) },
        _ => SessionEnd::Ended { exit: ExitStatus::Code(0) },
    }
}
