//! The app-server's protocol: JSON-RPC without its version member, one message per text frame of a WebSocket over a Unix
//! socket.
//!
//! The types are ours and tolerant. What a newer or older version says in words that are not known here is kept in those
//! words, and is never an error.

mod frame;
mod item;
mod link;
mod notice;
mod turn;
mod words;

pub(super) use frame::{Incoming, Refusal, RequestKey};
pub(super) use item::{Change, Item, ItemKind};
pub(super) use link::{AskError, Link};
pub(super) use notice::Notice;
pub(super) use turn::{TokenCount, Turn, TurnError, TurnStatus};
pub(super) use words::ThreadStatus;

#[cfg(test)]
mod tests;
