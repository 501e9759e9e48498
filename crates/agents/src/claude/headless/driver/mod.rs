//! The daemon's side of a headless session: what is Claude Code's own in it.

mod begin;
mod give;
mod lend;
mod meaning;

use self::meaning::Protocol;
use super::machine::Machine;
use crate::runner::{Driver, Seat};
use crate::{DriverStart, DriverTask};

/// Drives one session to its end, or until the daemon lets go of it.
pub(in crate::claude) async fn drive(task: DriverTask) {
    let DriverTask { session, name, place, start, orders, reports } = task;
    let (profile, conversation) = match &start {
        DriverStart::Launch(plan) => (&plan.profile, None),
        DriverStart::Adopt(adoption) => (&adoption.profile, adoption.conversation.clone()),
    };
    let machine = Machine::new(session, profile, conversation);
    let meaning = Protocol::new(session, profile.clone(), machine);
    let seat = Seat { session, name, place, orders, reports };
    let mut driver = Driver::new(seat, meaning);
    // An error here means that nobody takes the reports any more: the daemon is going away.
    let _ = match start {
        DriverStart::Launch(plan) => begin::launch(&mut driver, plan).await,
        DriverStart::Adopt(adoption) => driver.adopt(adoption).await,
    };
}
