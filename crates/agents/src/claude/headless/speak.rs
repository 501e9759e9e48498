//! The lines that are written to Claude Code, and the tags under which the runner notes them.

use adjutant_core::id::Attempt;
use adjutant_core::{MessageId, SessionId};
use serde_json::{Value, json};

/// What a line is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    /// Asks whether it is ready, after it was lent so often.
    Hello(u32),
    /// A message.
    Message(MessageId, Attempt),
    /// The answer of somebody to a request.
    Answer(String),
    /// The answer of a rule to a request.
    Rule(String),
    /// The answer that nobody can give it what it wants.
    Refusal(String),
    /// Asks it to stop its turn.
    Stop(u32),
}

impl Tag {
    /// As it stands in the journal.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Hello(0) => "hello".to_owned(),
            Self::Hello(lent) => format!("hello {lent}"),
            Self::Message(message, attempt) => format!("message {} {}", message.get(), attempt.get()),
            Self::Answer(native) => format!("answer {native}"),
            Self::Rule(native) => format!("rule {native}"),
            Self::Refusal(native) => format!("refusal {native}"),
            Self::Stop(number) => format!("stop {number}"),
        }
    }

    /// Reads one; `None` for one of another version.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        match word {
            "hello" if rest.is_empty() => Some(Self::Hello(0)),
            "hello" => rest.parse().ok().map(Self::Hello),
            "message" => {
                let (message, attempt) = rest.split_once(' ')?;
                Some(Self::Message(MessageId::new(message.parse().ok()?), Attempt::new(attempt.parse().ok()?)))
            }
            "answer" => Some(Self::Answer(rest.to_owned())),
            "rule" => Some(Self::Rule(rest.to_owned())),
            "refusal" => Some(Self::Refusal(rest.to_owned())),
            "stop" => rest.parse().ok().map(Self::Stop),
            _ => None,
        }
    }
}

/// The id that a message has with Claude Code: of this session, this message and this handing-over.
pub(super) fn uuid_of(session: SessionId, message: MessageId, attempt: Attempt) -> String {
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&session.as_bytes()[10..]);
    let attempt = u16::try_from(attempt.get()).unwrap_or(u16::MAX) & 0x0fff;
    bytes[6..8].copy_from_slice(&(0x8000 | attempt).to_be_bytes());
    // The bits that say what kind of an id this is stand above the message's.
    bytes[8] = 0x80;
    bytes[9..].copy_from_slice(&message.get().to_be_bytes()[1..]);
    SessionId::from_bytes(bytes).to_string()
}

/// The message of such an id; `None` for an id of somebody else's.
pub(super) fn message_of(session: SessionId, uuid: &str) -> Option<(MessageId, Attempt)> {
    let id: SessionId = uuid.parse().ok()?;
    let bytes = id.as_bytes();
    if bytes[..6] != session.as_bytes()[10..] || bytes[6] >> 4 != 8 || bytes[8] != 0x80 {
        return None;
    }
    let attempt = u16::from_be_bytes([bytes[6], bytes[7]]) & 0x0fff;
    let mut message = [0; 8];
    message[1..].copy_from_slice(&bytes[9..]);
    Some((MessageId::new(u64::from_be_bytes(message)), Attempt::new(u32::from(attempt))))
}

/// Asks whether it is ready.
pub(super) fn hello() -> String {
    request("hello", &json!({"subtype": "initialize", "hooks": null}))
}

/// Asks it to stop its turn.
pub(super) fn stop(number: u32) -> String {
    request(&Tag::Stop(number).text(), &json!({"subtype": "interrupt"}))
}

fn request(id: &str, request: &Value) -> String {
    json!({"type": "control_request", "request_id": id, "request": request}).to_string()
}

/// A message. In the last thing said, a slash makes a command, and `@` fetches a file, so nothing is said behind it; that
/// nothing does not reach the model.
pub(super) fn message(uuid: &str, text: &str, as_command: bool) -> String {
    let content = match as_command {
        true => json!(text),
        false => json!([{"type": "text", "text": text}, {"type": "text", "text": ""}]),
    };
    json!({"type": "user", "uuid": uuid, "message": {"role": "user", "content": content}}).to_string()
}

/// The answer that nobody can give it what it wants, so that it does not wait for it.
pub(super) fn refusal(native: &str) -> String {
    let error = "This host cannot do that.";
    let inner = json!({"subtype": "error", "request_id": native, "error": error});
    json!({"type": "control_response", "response": inner}).to_string()
}

/// The answer to a request.
pub(super) fn answer(native: &str, response: &Value) -> String {
    let inner = json!({"subtype": "success", "request_id": native, "response": response});
    json!({"type": "control_response", "response": inner}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_its_message() {
        let (session, other) = (SessionId::from_bytes([0xab; 16]), SessionId::from_bytes([1; 16]));
        for (message, attempt) in [(1, 1), (42, 5), (u64::MAX >> 8, 0x0fff)] {
            let (message, attempt) = (MessageId::new(message), Attempt::new(attempt));
            let uuid = uuid_of(session, message, attempt);
            assert_eq!(message_of(session, &uuid), Some((message, attempt)), "{uuid}");
            assert_eq!(message_of(other, &uuid), None);
        }
        assert_eq!(message_of(session, "98cefb34-51fd-4e5a-94bf-fa507ed7c608"), None);
    }

    #[test]
    fn a_tag_survives_the_journal() {
        let tags = [
            Tag::Hello(0),
            Tag::Hello(2),
            Tag::Message(MessageId::new(7), Attempt::new(2)),
            Tag::Answer("bbd4-1".into()),
            Tag::Rule("x".into()),
            Tag::Refusal("y".into()),
            Tag::Stop(3),
        ];
        for tag in tags {
            assert_eq!(Tag::read(&tag.text()), Some(tag.clone()));
        }
        assert_eq!(Tag::read("telepathy 1"), None);
    }

    #[test]
    fn only_what_is_meant_as_a_command_is_one() {
        let content = |text: &str, as_command| {
            serde_json::from_str::<Value>(&message("u", text, as_command)).unwrap()["message"]["content"].clone()
        };
        assert_eq!(content("/compact", true), json!("/compact"));
        for text in [" /cost", "hello\t\u{1b}", "see @/etc/passwd"] {
            assert_eq!(content(text, false), json!([{"type": "text", "text": text}, {"type": "text", "text": ""}]));
        }
    }
}
