//! The domain of Adjutant as pure machines.
//!
//! Nothing here reads a clock, draws a random number, touches a file or waits. Time, new ids and seeds arrive inside
//! the [`Input`]; what has to happen leaves as [`Act`]s; what has happened is an [`Event`]. State changes only through
//! [`Host::fold`], the function that a rebuild from the log uses too, so that a live run and a rebuild cannot differ.

pub mod agent;
pub mod call;
pub mod event;
pub mod host;
pub mod id;
pub mod input;
pub mod limits;
pub mod message;
pub mod name;
pub mod outcome;
pub mod process;
pub mod request;
pub mod session;
pub mod time;
pub mod turn;
pub mod wait;

pub use agent::{AgentName, AgentReport, Capabilities};
pub use call::{Answer, Call, Caller, Refusal};
pub use event::{Event, Logged};
pub use host::{Counters, Host, HostConfig, Projected, Right, Step};
pub use id::{MessageId, RequestId, Seq, SessionId, TokenId, TurnNumber};
pub use input::{Act, CallId, Input, Text};
pub use name::SessionName;
pub use outcome::{ExitStatus, Outcome};
pub use time::{Now, Timestamp};
