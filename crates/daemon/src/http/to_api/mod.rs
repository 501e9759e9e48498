//! From domain types to wire types; the other direction is `from_api`.

mod event;
mod message;
mod session;
mod turn;
mod words;

pub(crate) use self::event::event;
pub(crate) use self::message::message;
pub(crate) use self::session::{caller_name, exit_detail, explain, name_of, request, session, start_failure};
pub(crate) use self::turn::{answer, exited, fallen, idle, input, timed_out, turn_result, usage};
pub(crate) use self::words::{mode, outcome, unknown_text};

use adjutant_api::WireTime;
use adjutant_core::Timestamp;

/// A moment as it is written on the wire.
pub(crate) fn time(at: Timestamp) -> WireTime {
    WireTime::from_millis(at.as_millis())
}
