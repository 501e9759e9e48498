//! What a driver passes on to its runner: orders, the first greeting, and the answers of rules.

use std::io;

use adjutant_core::MessageId;
use adjutant_core::agent::{AgentReport, RequestEnd};
use adjutant_core::id::Attempt;
use adjutant_core::outcome::UnknownReason;

use super::lend;
use super::meaning::Protocol;
use crate::claude::form;
use crate::claude::headless::speak::{self, Tag, uuid_of};
use crate::claude::requests::Decided;
use crate::policy::Verdict;
use crate::runner::{Driven, Driver, Link, Notice, OrderLine};
use crate::{Order, RequestAnswer};

/// Passes on what nobody ordered.
pub(super) async fn own(driver: &mut Driver<Protocol>, link: &mut Link) -> io::Result<()> {
    if driver.failure().is_none()
        && let Some(why) = driver.meaning.machine.failure().cloned()
    {
        return driver.give_up(link, why).await;
    }
    let hello = Tag::Hello(driver.meaning.machine.lendings());
    if driver.meaning.machine.is_to_be_greeted() && once(driver, &hello) {
        write(driver, link, &hello, &speak::hello()).await?;
    }
    for (native, asked, verdict) in driver.meaning.machine.ruled() {
        let decided = match verdict {
            Verdict::Allow => asked.decided(&RequestAnswer::Allow),
            Verdict::Deny => Decided::refused_by_rule(&asked),
        };
        let tag = Tag::Rule(native.clone());
        if once(driver, &tag) {
            write(driver, link, &tag, &speak::answer(&native, &decided.words())).await?;
        }
    }
    for native in driver.meaning.machine.refused() {
        let tag = Tag::Refusal(native.clone());
        if once(driver, &tag) {
            write(driver, link, &tag, &speak::refusal(&native)).await?;
        }
    }
    Ok(())
}

/// Whether this connection has not been given it yet; the journal says so later.
fn once(driver: &mut Driver<Protocol>, tag: &Tag) -> bool {
    driver.meaning.given.insert(tag.text())
}

async fn write(driver: &Driver<Protocol>, link: &mut Link, tag: &Tag, line: &str) -> io::Result<()> {
    let (committed, bytes) = (driver.committed(), line.len() as u64);
    link.order(&OrderLine::Write { tag: tag.text(), committed, bytes }, line).await
}

/// Passes an order on.
pub(super) async fn order(driver: &mut Driver<Protocol>, link: &mut Link, order: Order) -> Driven<io::Result<()>> {
    if driver.meaning.is_away() || matches!(order, Order::Lend { .. }) {
        return lend::order(driver, order).await.map(Ok);
    }
    Ok(match order {
        Order::Deliver { message, attempt, text, as_command: true } if !text.starts_with('/') => {
            // It would be a message like any other.
            let detail = "a command of Claude Code is a line that begins with `/`".to_owned();
            driver.report(AgentReport::Refused { message, attempt, detail }).await?;
            Ok(())
        }
        Order::Deliver { message, attempt, text, as_command } => {
            deliver(driver, link, message, attempt, &text, as_command).await
        }
        Order::Steer { message, attempt, text } if driver.meaning.machine.is_working() => {
            deliver(driver, link, message, attempt, &text, false).await
        }
        Order::Steer { message, attempt, .. } => {
            let detail = "the turn had ended".to_owned();
            driver.report(AgentReport::NotTaken { message, attempt, detail }).await?;
            Ok(())
        }
        Order::Interrupt if driver.meaning.machine.is_working() => {
            let number = driver.meaning.machine.next_stop();
            write(driver, link, &Tag::Stop(number), &speak::stop(number)).await
        }
        Order::Interrupt => {
            driver.report(AgentReport::InterruptPassed { detail: "no turn was running".to_owned() }).await?;
            Ok(())
        }
        Order::Respond { native, answer } => match driver.meaning.machine.asked(&native) {
            Some(asked) => {
                let line = speak::answer(&native, &asked.decided(&answer).words());
                write(driver, link, &Tag::Answer(native), &line).await
            }
            None if driver.meaning.machine.has_form(&native) => {
                let line = speak::answer(&native, &form::answered(&answer));
                write(driver, link, &Tag::Answer(native), &line).await
            }
            None => {
                driver.report(AgentReport::RequestClosed { native, end: RequestEnd::Withdrawn }).await?;
                Ok(())
            }
        },
        Order::End { grace_ms } => driver.end(link, grace_ms).await,
        // A headless session has no hooks of ours; whoever calls learns that nobody heard.
        Order::Hook { .. } | Order::Goal { .. } | Order::Lend { .. } | Order::LetGo => Ok(()),
    })
}

async fn deliver(
    driver: &mut Driver<Protocol>,
    link: &mut Link,
    message: MessageId,
    attempt: Attempt,
    text: &str,
    as_command: bool,
) -> io::Result<()> {
    driver.hand(message, attempt);
    let line = speak::message(&uuid_of(driver.session(), message, attempt), text, as_command);
    write(driver, link, &Tag::Message(message, attempt), &line).await
}

/// What the runner says beside its journal.
pub(super) async fn on_notice(driver: &mut Driver<Protocol>, notice: Notice) -> Driven {
    let Notice::NotWritten { tag, why } = notice else { return Ok(()) };
    match Tag::read(&tag) {
        // One that was written before is in the journal, and what became of it is told from there.
        Some(Tag::Message(message, attempt)) if !driver.meaning.machine.knows(message, attempt) => {
            driver.forget_handed(message);
            driver.report(AgentReport::NotTaken { message, attempt, detail: why }).await
        }
        Some(Tag::Message(message, attempt)) => {
            let why = UnknownReason::HandoverUnproven { detail: why };
            driver.report(AgentReport::Unclear { message, attempt, why }).await
        }
        Some(Tag::Answer(native)) => {
            driver.report(AgentReport::RequestClosed { native, end: RequestEnd::Withdrawn }).await
        }
        Some(Tag::Hello(_) | Tag::Rule(_) | Tag::Refusal(_) | Tag::Stop(_)) | None => Ok(()),
    }
}
