//! The hermetic world in which Adjutant is tested: a home of its own, a clean environment, and the real `adj`.
//!
//! A world begins empty and ends empty: when it is dropped its daemon and sessions are ended, and the test fails if a
//! process that belongs to it is left.

mod bell;
mod claude;
mod command;
mod dice;
mod fact;
mod leftovers;
mod model;
mod namespace;
pub mod pinned;
mod process;
mod sshd;
mod world;

pub use adjutant_fakemodel as fakemodel;
pub use bell::Bell;
pub use claude::{AGENT_MAX, ClaudeWorld};
pub use command::{Ended, Running};
pub use dice::Dice;
pub use fact::await_fact;
pub use leftovers::processes_naming;
pub use model::Model;
pub use namespace::Namespace;
pub use process::Process;
pub use sshd::OtherHost;
pub use world::World;
