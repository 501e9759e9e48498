//! Stopping a turn, and answering what it asks.

use adjutant_core::agent::{AgentReport, RequestEnd};

use super::machine::{ANSWERED, AnsweredNote, INTERRUPTED};
use super::status::Activity;
use super::{Driven, Driver, Timer};
use crate::RequestAnswer;
use crate::limits::{INTERRUPT_KEY_MS, INTERRUPT_KEYS_MAX};

impl Driver {
    /// Stops the running turn: a question of its own is refused together with the turn, and no key goes into a dialog.
    pub(super) async fn interrupt(&mut self) -> Driven {
        let open = self.machine.requests.iter().filter(|(_, (_, asked))| asked.is_answerable());
        let open: Vec<_> =
            open.map(|(id, (_, asked))| (id.clone(), asked.refusal(), asked.outlives_refusal())).collect();
        if !open.is_empty() {
            self.note(INTERRUPTED, &());
            for (id, refusal, _) in &open {
                self.file(id, refusal);
                self.note(ANSWERED, &AnsweredNote { id: id.clone() });
            }
            self.read_spool().await?;
            if open.iter().any(|(_, _, outlives)| *outlives) {
                return self.press_escape().await;
            }
            return self.passed("the open question was refused, and the turn with it").await;
        }
        if self.machine.turn.is_none() {
            return self.passed("no turn was running").await;
        }
        self.note(INTERRUPTED, &());
        self.read_spool().await?;
        self.press_escape().await
    }

    async fn passed(&self, detail: &str) -> Driven {
        self.report(AgentReport::InterruptPassed { detail: detail.to_owned() }).await
    }

    async fn press_escape(&mut self) -> Driven {
        self.timers.arm(Timer::Interrupt, INTERRUPT_KEY_MS);
        // In the middle of a message the key would cut it in two, and what is left would be a message of its own.
        let activity = self.status().map(|status| status.activity);
        if activity != Some(Activity::Busy) || self.typing.is_under_way() {
            // It is not at work yet, or no longer, or in a dialog, which takes no key of ours.
            return Ok(());
        }
        self.interrupts += 1;
        // One that is suspended reads no key.
        if let Err(error) = self.look_at_work().await {
            tracing::warn!(session = %self.session, %error, "the terminal cannot be looked at");
        }
        match self.tmux.press(&["Escape"]).await {
            Ok(()) => self.passed("Esc in its terminal").await,
            Err(error) => {
                tracing::warn!(session = %self.session, %error, "the key that interrupts could not be pressed");
                Ok(())
            }
        }
    }

    /// The turn still runs.
    pub(super) async fn interrupt_again(&mut self) -> Driven {
        if self.machine.turn.as_ref().is_some_and(|turn| turn.interrupt_asked) && self.interrupts < INTERRUPT_KEYS_MAX {
            return self.press_escape().await;
        }
        Ok(())
    }

    /// Answers a question; whoever was first has answered it.
    pub(super) async fn respond(&mut self, native: &str, answer: &RequestAnswer) -> Driven {
        let Some((_, asked)) = self.machine.requests.get(native) else {
            let report = AgentReport::RequestClosed { native: native.to_owned(), end: RequestEnd::Withdrawn };
            return self.report(report).await;
        };
        match asked.answer(answer) {
            Ok(words) => {
                self.file(native, &words);
                self.note(ANSWERED, &AnsweredNote { id: native.to_owned() });
                self.read_spool().await
            }
            Err(why) => self.report(AgentReport::Notice { text: why }).await,
        }
    }
}
