//! The hermetic world in which Adjutant is tested: a home of its own, a clean environment, and the real `adj`.
//!
//! A world begins empty and ends empty: when it is dropped its daemon and sessions are ended, and the test fails if a
//! process that belongs to it is left.

mod command;
mod leftovers;
mod world;

pub use command::{Ended, Running};
pub use leftovers::processes_naming;
pub use world::World;
