//! The types on the wire, one file per resource.

pub mod daemon;
pub mod dial;
pub mod event;
pub mod gateway;
pub mod goal;
pub mod hook;
pub mod log;
pub mod message;
pub mod project;
pub mod request;
pub mod session;
pub mod turn;
pub mod workspace;
