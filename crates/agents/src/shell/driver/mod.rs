//! The daemon's side of a shell session: what is a shell's own in it.

mod records;

use std::io;

use adjutant_core::MessageId;
use adjutant_core::agent::{AgentReport, RequestEnd};
use adjutant_core::id::Attempt;
use adjutant_core::outcome::UnknownReason;

use self::records::{Records, report_of};
use super::environment::environment;
use crate::runner::{Driven, Driver, Held, JournalReader, Link, Notice, OrderLine, Seat};
use crate::{DriverReport, DriverStart, DriverTask, LaunchPlan, Order, RequestAnswer};

/// Drives one session to its end, or until the daemon lets go of it.
pub(super) async fn drive(task: DriverTask) {
    let DriverTask { session, name, place, start, orders, reports } = task;
    let mut driver = Driver::new(Seat { session, name, place, orders, reports }, Records::default());
    // An error here means that nobody takes the reports any more: the daemon is going away.
    let _ = match start {
        DriverStart::Launch(plan) => launch(&mut driver, plan).await,
        DriverStart::Adopt(adoption) => driver.adopt(adoption).await,
    };
}

async fn launch(driver: &mut Driver<Records>, plan: LaunchPlan) -> Driven {
    let held = Held {
        environment: environment(&plan, driver.place(), driver.stamp()),
        inherited: plan.inherited.clone(),
        exact: plan.is_confined(),
        program: plan.program,
        directory: plan.directory,
        pipes: None,
        ready_ms_max: plan.ready_ms_max,
    };
    driver.launch(held).await
}

/// Passes an order on.
async fn give(driver: &mut Driver<Records>, link: &mut Link, order: Order) -> io::Result<()> {
    match order {
        // A shell has no turn that takes more; the runner says so.
        Order::Deliver { message, attempt, text, .. } | Order::Steer { message, attempt, text } => {
            // Only when the end of one message is committed is the next one handed over.
            let committed = driver.committed();
            driver.hand(message, attempt);
            let (bytes, message, attempt) = (text.len() as u64, message.get(), attempt.get());
            link.order(&OrderLine::Deliver { message, attempt, committed, bytes }, &text).await
        }
        Order::Interrupt => link.order(&OrderLine::Interrupt {}, "").await,
        Order::Respond { native, answer: RequestAnswer::Text(text) } => {
            link.order(&OrderLine::Respond { native, bytes: text.len() as u64 }, &text).await
        }
        // What a shell asks is answered by a text alone, which is checked before; and it has no hooks.
        Order::Respond { .. } | Order::Hook { .. } | Order::Goal { .. } | Order::Lend { .. } => Ok(()),
        Order::End { grace_ms } => driver.end(link, grace_ms).await,
        Order::LetGo => Ok(()),
    }
}

async fn on_notice(driver: &mut Driver<Records>, notice: Notice) -> Driven {
    match notice {
        // Nothing is written to the standard input of a shell.
        Notice::CaughtUp { .. } | Notice::NotWritten { .. } => Ok(()),
        Notice::Refused { message, attempt, why } => {
            let (message, attempt) = (MessageId::new(message), Attempt::new(attempt));
            driver.forget_handed(message);
            driver.report(AgentReport::NotTaken { message, attempt, detail: why }).await
        }
        Notice::TakenBefore { message } => repeat(driver, MessageId::new(message)).await,
        Notice::NothingToInterrupt => {
            driver.report(AgentReport::InterruptPassed { detail: "no command was running".to_owned() }).await
        }
        Notice::NoSuchRequest { native } => {
            driver.report(AgentReport::RequestClosed { native, end: RequestEnd::Withdrawn }).await
        }
    }
}

/// Reports again what the journal has of a message that was handed over once more.
async fn repeat(driver: &mut Driver<Records>, message: MessageId) -> Driven {
    let handed = driver.forget_handed(message);
    let state_dir = driver.place().state_dir.clone();
    let mut told = false;
    let Ok(journal) = JournalReader::open(&state_dir, 0) else { return Ok(()) };
    for found in journal.map_while(Result::ok).filter(|found| found.next <= driver.offset()) {
        if found.entry.record.tells_of() == Some(message.get())
            && let Some((report, answer)) = report_of(&found.entry, &state_dir, true)
        {
            let (session, observed_at) = (driver.session(), found.entry.observed_at());
            driver.send(DriverReport { session, observed_at, cursor: None, report, answer }).await?;
            told = true;
        }
    }
    match handed {
        Some(attempt) if !told => {
            let detail = "it was taken before, and the journal has given up what became of it".to_owned();
            let why = UnknownReason::HandoverUnproven { detail };
            driver.report(AgentReport::Unclear { message, attempt, why }).await
        }
        Some(_) | None => Ok(()),
    }
}
