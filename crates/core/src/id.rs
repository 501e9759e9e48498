//! Ids: what names a session, a message, a request, a turn and a place in the log.

use std::fmt;
use std::str::FromStr;

/// A text that does not have the form of the id it was read as.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct IdMalformed {
    /// The text as it was given.
    pub text: String,
    /// What it should have been, with its article.
    pub expected: &'static str,
}

impl IdMalformed {
    fn new(text: &str, expected: &'static str) -> Self {
        Self { text: text.to_owned(), expected }
    }
}

/// Adjutant's own id of a session: a UUID, version 7 where Adjutant made it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId([u8; 16]);

impl SessionId {
    /// Takes the sixteen bytes of a UUID.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The sixteen bytes of the UUID.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for SessionId {
    type Err = IdMalformed;

    /// Reads the 36 characters of a hyphenated UUID, in either case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || IdMalformed::new(text, "a UUID");
        let raw = text.as_bytes();
        let hyphens_right =
            raw.len() == 36 && raw.iter().enumerate().all(|(i, b)| (*b == b'-') == matches!(i, 8 | 13 | 18 | 23));
        if !hyphens_right {
            return Err(malformed());
        }
        let digits: Vec<u8> =
            raw.iter().filter(|b| **b != b'-').map(|b| hex_value(*b)).collect::<Option<_>>().ok_or_else(malformed)?;
        let mut bytes = [0; 16];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair[0] << 4 | pair[1];
        }
        Ok(Self(bytes))
    }
}

fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

macro_rules! numbered_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            /// Takes the number behind the prefix.
            pub const fn new(number: u64) -> Self {
                Self(number)
            }

            /// The number behind the prefix.
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The id that follows this one.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdMalformed;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let digits = text.strip_prefix($prefix).filter(|rest| rest.bytes().all(|b| b.is_ascii_digit()));
                digits.and_then(|rest| rest.parse().ok()).map(Self).ok_or_else(|| IdMalformed::new(text, $expected))
            }
        }
    };
}

numbered_id!(
    /// A message's id, `m42`: unique within the host and never used twice.
    MessageId, "m", "a message id such as m42"
);
numbered_id!(
    /// A request's id, `r3`: unique within the host and never used twice.
    RequestId, "r", "a request id such as r3"
);
numbered_id!(
    /// The id of a token of the gateway, `t4`: unique within the host and never used twice.
    TokenId, "t", "the id of a token such as t4"
);
numbered_id!(
    /// A place in the host's log: 1 for the first event, growing by one with each.
    ///
    /// It is the cursor of every stream: within one session it grows too, with gaps.
    Seq, "", "a cursor such as 118"
);

/// The number of a turn within its session, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TurnNumber(u32);

impl TurnNumber {
    /// Takes a number as it was stored.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The plain number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for TurnNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// How often a message has been handed to its agent, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attempt(u32);

impl Attempt {
    /// The first time.
    pub const FIRST: Self = Self(1);

    /// Takes a number as it was stored.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The plain number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The attempt after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_id_survives_its_text() {
        let id = SessionId::from_bytes(*b"\x01\x98\xc2\x00\xaa\xbb\x7c\xdd\x8e\xff\x01\x02\x03\x04\x05\x06");
        assert_eq!(id.to_string(), "0198c200-aabb-7cdd-8eff-010203040506");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().to_uppercase().parse(), Ok(id));
    }

    #[test]
    fn malformed_ids_are_refused() {
        for text in ["", "0198c200aabb7cdd8eff010203040506", "0198c200-aabb-7cdd-8eff-01020304050g", "zz"] {
            assert!(text.parse::<SessionId>().is_err(), "{text}");
        }
        for text in ["", "m", "42", "m-1", "m+1", "r3", "m4 ", "m99999999999999999999999"] {
            assert!(text.parse::<MessageId>().is_err(), "{text}");
        }
        assert_eq!("m42".parse(), Ok(MessageId::new(42)));
    }
}
