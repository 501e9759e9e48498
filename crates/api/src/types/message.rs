//! Messages and their receipts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::schema::{Definitions, Schema, answer, call, words};
use crate::time::WireTime;
use crate::types::turn::OutcomeWord;

words! {
    /// Where a message stands.
    pub enum MessageStateWord {
        /// It waits in the queue.
        Queued = "queued",
        /// It has been handed to the agent, and nothing shows yet that it was taken.
        Delivering = "delivering",
        /// A turn works on it.
        Running = "running",
        /// Its turn was completed.
        Done = "done",
        /// Its turn ended otherwise, or it could not be delivered.
        Failed = "failed",
        /// It was taken out of the queue.
        Cancelled = "cancelled",
        /// It was not started in time.
        Expired = "expired",
        /// Nobody can know what became of it.
        Unknown = "unknown",
    }

    /// How a message is to be put to its agent.
    pub enum MessageKind {
        /// As the next turn.
        Next = "next",
        /// Into the running turn, where the agent can take it.
        Steer = "steer",
        /// As the next turn, after stopping the running one.
        Interrupt = "interrupt",
        /// As the next turn: Adjutant itself says that nothing will come of a message.
        Notice = "notice",
    }

    /// How far something is that a message waits for.
    pub enum AwaitedStateWord {
        /// It has not ended.
        Open = "open",
        /// It has ended.
        Settled = "settled",
        /// It had not ended when the message no longer waited for it.
        Unmet = "unmet",
    }
}

answer! {
    /// Something to be delivered to a session.
    pub struct Message {
        /// Its id, such as `m42`.
        pub id: String,
        /// The session that it goes to.
        pub session: String,
        /// Who sent it: a session's id, or `human`.
        pub from: String,
        /// How it is put to the agent.
        pub kind: MessageKind,
        /// The text is meant as a command of the agent.
        pub as_command: bool,
        /// Where it stands.
        pub state: MessageStateWord,
        /// It waits for a time or for another's end.
        pub delayed: bool,
        /// Its queue is on hold.
        pub held: bool,
        /// It waits for a person who has the conversation at a terminal.
        pub lent: bool,
        /// The request that it waits behind.
        pub blocked_by: Option<String>,
        /// The length of its text.
        pub bytes: u64,
        /// Its text. In a list the beginning, or nothing where there are many: `bytes` says how long it is.
        pub text: String,
        /// When it becomes due.
        pub run_at: Option<WireTime>,
        /// The sessions and messages whose end it waits for, or waited for.
        pub after: Vec<Awaited>,
        /// The first of them is enough.
        pub any: bool,
        /// When it expires.
        pub expires_at: Option<WireTime>,
        /// Its idempotency key.
        pub key: Option<String>,
        /// The message that it answers.
        pub reply_to: Option<String>,
        /// Its place in the queue, from 1.
        pub position: Option<u64>,
        /// The turn that ran it.
        pub turn: Option<u32>,
        /// Why it failed, or why nobody can know.
        pub error: Option<String>,
        /// When it was accepted.
        pub created_at: WireTime,
        /// What can be proven of its way.
        pub receipt: Receipt,
    }

    /// A session's work, or a message, whose end a message waits for.
    pub struct Awaited {
        /// The session.
        pub session: String,
        /// The message; without one it is all that the session had accepted.
        pub message: Option<String>,
        /// How far it is.
        pub state: AwaitedStateWord,
        /// How it ended.
        pub outcome: Option<OutcomeWord>,
        /// The turn whose result that is.
        pub turn: Option<u32>,
        /// The exit code of its command; shell sessions only.
        pub exit_code: Option<i32>,
        /// Why it ended without a turn.
        pub error: Option<String>,
        /// When it ended.
        pub settled_at: Option<WireTime>,
    }

    /// The steps of a message, each with its time; one that nobody can prove is `null`.
    pub struct Receipt {
        /// When it was on disk.
        pub queued_at: Option<WireTime>,
        /// When it was given to the agent.
        pub handed_at: Option<WireTime>,
        /// When the agent took it.
        pub accepted_at: Option<WireTime>,
        /// What shows that the agent took exactly this text.
        pub evidence: Option<Evidence>,
        /// When it ended.
        pub settled_at: Option<WireTime>,
        /// The outcome of its turn.
        pub outcome: Option<OutcomeWord>,
        /// How long after its time a delayed message became due.
        pub late_ms: Option<u64>,
        /// It was late because no daemon ran at its time.
        pub overdue: bool,
        /// Bytes that were added to its text when it was handed over: the outcomes and final texts that it waited for.
        pub appended_bytes: Option<u64>,
    }

    /// What shows that an agent took a message.
    pub struct Evidence {
        /// Who said so, such as `control pipe`.
        pub source: String,
        /// What was said.
        pub detail: String,
        /// When it was said.
        pub at: WireTime,
    }
}

/// A message that has just been accepted: the message's own keys and three more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sent {
    /// The message.
    #[serde(flatten)]
    pub message: Message,
    /// It was handed to the agent at once.
    pub handed: bool,
    /// How many turns and messages are before it.
    pub ahead: u64,
    /// A live message with this key was there already; nothing was added.
    pub repeated: bool,
}

impl Schema for Sent {
    const NAME: Option<&'static str> = Some("Sent");

    fn describe(definitions: &mut Definitions) -> Value {
        let more = json!({
            "type": "object",
            "required": ["handed", "ahead", "repeated"],
            "properties": {
                "handed": {"type": "boolean", "description": "It was handed to the agent at once."},
                "ahead": {"type": "integer", "minimum": 0, "description": "Turns and messages before it."},
                "repeated": {"type": "boolean", "description": "A live message with this key was there already."},
            },
        });
        json!({"description": "A message that has just been accepted.",
               "allOf": [Message::reference(definitions), more]})
    }
}

call! {
    /// A message for a session.
    pub struct SendMessage {
        /// Its text.
        pub text: String,
        /// A live message with this key is returned instead of adding a second one.
        pub key: Option<String>,
        /// The key is of this one call alone, which may come twice: a message with it is returned also when it has ended.
        #[serde(default)]
        pub once: bool,
        /// The message that it answers.
        pub reply_to: Option<String>,
        /// It expires unless it is started within this time.
        pub expires_ms: Option<u64>,
        /// It is due after this time.
        pub delay_ms: Option<u64>,
        /// It is due at this point in time.
        pub run_at: Option<WireTime>,
        /// How it is put to the agent; `next` unless given.
        pub kind: Option<MessageKind>,
        /// The text is meant as a command of the agent.
        #[serde(default)]
        pub as_command: bool,
        /// Answer only when the agent has taken it; `outcome_unknown` when that is not proven within this time.
        pub confirm_ms: Option<u64>,
        /// When the message settles, the calling session is woken with its outcome and final text.
        #[serde(default)]
        pub wake_me: bool,
    }

    /// A message that also revives an ended session.
    pub struct WakeSession {
        /// Its text; without one the process is revived and a held queue released.
        pub text: Option<String>,
        /// A live message with this key is returned instead of adding a second one.
        pub key: Option<String>,
        /// The key is of this one call alone, which may come twice: a message with it is returned also when it has ended.
        #[serde(default)]
        pub once: bool,
        /// It expires unless it is started within this time.
        pub expires_ms: Option<u64>,
        /// It is due after this time.
        pub delay_ms: Option<u64>,
        /// It is due at this point in time.
        pub run_at: Option<WireTime>,
        /// It is due when the work of these sessions, or these messages, have settled.
        #[serde(default)]
        pub after: Vec<String>,
        /// The first of `after` is enough.
        #[serde(default)]
        pub any: bool,
        /// The caller's environment, for a session that has ended and is started again. Never stored.
        #[serde(default)]
        pub environment: BTreeMap<String, String>,
        /// Variables on top of it. Never stored.
        #[serde(default)]
        pub env: BTreeMap<String, String>,
        /// The caller's umask; that of whoever started the daemon unless given.
        pub umask: Option<u32>,
        /// The caller's soft limits, as for a new session.
        #[serde(default)]
        pub soft_limits: BTreeMap<String, Option<u64>>,
        /// Time for a session that has ended to get ready again; a minute unless given.
        pub timeout_ms: Option<u64>,
    }

    /// Which messages of a session are wanted.
    pub struct MessagesQuery {
        /// Ended ones too.
        #[serde(default)]
        pub all: bool,
    }

    /// A change of a queued message; at least one field.
    pub struct EditMessage {
        /// Its new text.
        pub text: Option<String>,
        /// Due after this time.
        pub delay_ms: Option<u64>,
        /// Due at this point in time.
        pub run_at: Option<WireTime>,
        /// Due now.
        #[serde(default)]
        pub now: bool,
        /// To the front of the queue.
        #[serde(default)]
        pub first: bool,
        /// Behind this message.
        pub after: Option<String>,
    }
}
