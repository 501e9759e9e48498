//! What a driver passes on to its runner: orders, the first greeting, and the answers of rules.

use std::io;

use adjutant_core::MessageId;
use adjutant_core::agent::{AgentReport, RequestEnd};
use adjutant_core::id::Attempt;
use adjutant_core::outcome::UnknownReason;

use super::{Driven, Driver};
use crate::claude::headless::speak::{self, Tag, uuid_of};
use crate::claude::requests::Decided;
use crate::limits::RUNNER_END_MS_MAX;
use crate::policy::Verdict;
use crate::runner::{Link, Notice, OrderLine};
use crate::{Order, RequestAnswer};

impl Driver {
    /// Gives all that can be given now. The outer error is that of the reports, the inner one that of the connection.
    pub(super) async fn give_what_is_due(&mut self, link: &mut Link) -> Driven<io::Result<()>> {
        if let Err(error) = self.give_own(link).await {
            return Ok(Err(error));
        }
        while let Some(order) = self.held.pop_front() {
            match self.give(link, order).await? {
                Ok(()) => {}
                broken => return Ok(broken),
            }
        }
        Ok(Ok(()))
    }

    /// What nobody ordered.
    async fn give_own(&mut self, link: &mut Link) -> io::Result<()> {
        if self.failure.is_none()
            && let Some(why) = self.machine.failure().cloned()
        {
            self.failure = Some(why);
            return self.end(link, 0).await;
        }
        if self.machine.is_to_be_greeted() && self.once(&Tag::Hello) {
            self.write(link, &Tag::Hello, &speak::hello()).await?;
        }
        for (native, asked, verdict) in self.machine.ruled() {
            let decided = match verdict {
                Verdict::Allow => asked.decided(&RequestAnswer::Allow),
                Verdict::Deny => Decided::Deny { message: format!("A rule of this session refuses {}.", asked.tool) },
            };
            let tag = Tag::Rule(native.clone());
            if self.once(&tag) {
                self.write(link, &tag, &speak::answer(&native, &decided)).await?;
            }
        }
        for native in self.machine.refused() {
            let tag = Tag::Refusal(native.clone());
            if self.once(&tag) {
                self.write(link, &tag, &speak::refusal(&native)).await?;
            }
        }
        Ok(())
    }

    /// Whether this connection has not been given it yet; the journal says so later.
    fn once(&mut self, tag: &Tag) -> bool {
        let text = tag.text();
        let new = !self.given.contains(&text);
        if new {
            self.given.insert(text);
        }
        new
    }

    async fn write(&mut self, link: &mut Link, tag: &Tag, line: &str) -> io::Result<()> {
        let (committed, bytes) = (self.turn_end, line.len() as u64);
        link.order(&OrderLine::Write { tag: tag.text(), committed, bytes }, line).await
    }

    /// Passes an order on. A message that cannot be passed on stays handed over until the journal says what became of
    /// it.
    async fn give(&mut self, link: &mut Link, order: Order) -> Driven<io::Result<()>> {
        Ok(match order {
            Order::Deliver { message, attempt, text, as_command } => {
                self.deliver(link, message, attempt, &text, as_command).await
            }
            Order::Steer { message, attempt, text } if self.machine.is_working() => {
                self.deliver(link, message, attempt, &text, false).await
            }
            Order::Steer { message, attempt, .. } => {
                let detail = "the turn had ended".to_owned();
                self.report(AgentReport::NotTaken { message, attempt, detail }).await?;
                Ok(())
            }
            Order::Interrupt if self.machine.is_working() => {
                let number = self.machine.next_stop();
                self.write(link, &Tag::Stop(number), &speak::stop(number)).await
            }
            Order::Interrupt => {
                self.report(AgentReport::InterruptPassed { detail: "no turn was running".to_owned() }).await?;
                Ok(())
            }
            Order::Respond { native, answer } => match self.machine.asked(&native) {
                Some(asked) => {
                    let line = speak::answer(&native, &asked.decided(&answer));
                    self.write(link, &Tag::Answer(native), &line).await
                }
                None => {
                    self.report(AgentReport::RequestClosed { native, end: RequestEnd::Withdrawn }).await?;
                    Ok(())
                }
            },
            Order::End { grace_ms } => self.end(link, grace_ms).await,
            // A headless session has no hooks of ours; whoever calls learns that nobody heard.
            Order::Hook { .. } | Order::Goal { .. } | Order::LetGo => Ok(()),
        })
    }

    async fn deliver(
        &mut self,
        link: &mut Link,
        message: MessageId,
        attempt: Attempt,
        text: &str,
        as_command: bool,
    ) -> io::Result<()> {
        self.handed.push((message, attempt));
        let line = speak::message(&uuid_of(self.session, message, attempt), text, as_command);
        self.write(link, &Tag::Message(message, attempt), &line).await
    }

    pub(super) async fn end(&mut self, link: &mut Link, grace_ms: u64) -> io::Result<()> {
        self.ordered_end = Some(grace_ms);
        self.timers.arm(super::Timer::End, grace_ms + RUNNER_END_MS_MAX);
        link.order(&OrderLine::End { grace_ms }, "").await
    }

    /// What the runner says beside its journal.
    pub(super) async fn on_notice(&mut self, notice: Notice) -> Driven {
        let Notice::NotWritten { tag, why } = notice else { return Ok(()) };
        match Tag::read(&tag) {
            // One that was written before is in the journal, and what became of it is told from there.
            Some(Tag::Message(message, attempt)) if !self.machine.knows(message, attempt) => {
                self.handed.retain(|(handed, _)| *handed != message);
                self.report(AgentReport::NotTaken { message, attempt, detail: why }).await
            }
            Some(Tag::Message(message, attempt)) => {
                let why = UnknownReason::HandoverUnproven { detail: why };
                self.report(AgentReport::Unclear { message, attempt, why }).await
            }
            Some(Tag::Answer(native)) => {
                self.report(AgentReport::RequestClosed { native, end: RequestEnd::Withdrawn }).await
            }
            Some(Tag::Hello | Tag::Rule(_) | Tag::Refusal(_) | Tag::Stop(_)) | None => Ok(()),
        }
    }
}
