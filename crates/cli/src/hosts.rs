//! What is known of the sessions of other machines: what each last said of them, kept in a file for each machine. A session
//! that a machine does not name any more, or a machine that is out of reach, is unknown, and is not forgotten for that.

mod ask;
mod cache;
mod create;
mod kill;
mod route;
mod wait;

pub(crate) use ask::{ask_all, others, requests};
pub(crate) use cache::{Known, remember_created};
pub(crate) use create::create;
pub(crate) use kill::kill;
pub(crate) use route::{Place, route};
pub(crate) use wait::{all, boxed, wait};
