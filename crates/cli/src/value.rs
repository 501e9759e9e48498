//! Values of options and arguments, and what is wrong with them.

use std::fmt;
use std::str::FromStr;

use adjutant_api::{ErrorCode, SessionName, WireTime};

/// What is wrong with a value, as a predicate: the sentence begins with the option and the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ValueError {
    /// The kind of failure.
    pub(crate) code: ErrorCode,
    predicate: String,
}

impl ValueError {
    /// A wrong call.
    pub(crate) fn usage(predicate: impl Into<String>) -> Self {
        Self { code: ErrorCode::Usage, predicate: predicate.into() }
    }

    /// A text that cannot be an id.
    pub(crate) fn id(predicate: impl Into<String>) -> Self {
        Self { code: ErrorCode::IdInvalid, predicate: predicate.into() }
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.predicate)
    }
}

impl std::error::Error for ValueError {}

/// What may be the id of a session: its form is right, whether it exists is for the daemon to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SessionArg(String);

impl SessionArg {
    /// The id as it was given.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id that a session is to get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NameArg(SessionName);

impl fmt::Display for NameArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for NameArg {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let flaw = |error: adjutant_api::NameMalformed| format!("cannot be a session's id: {}", error.why);
        text.parse().map(Self).map_err(|error| ValueError::id(flaw(error)))
    }
}

/// A UUID has 36; the longest name has 40. What is longer is no id of any kind.
const ID_BYTES_MAX: usize = 128;

impl FromStr for SessionArg {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let forbidden = |c: char| matches!(c, '/' | '.' | ':') || c.is_whitespace() || c.is_control();
        if text.is_empty() {
            return Err(ValueError::id("is empty"));
        }
        if text.starts_with('-') {
            return Err(ValueError::id("begins with a dash and cannot be an id"));
        }
        if text.len() > ID_BYTES_MAX {
            return Err(ValueError::id("is too long for an id"));
        }
        match text.chars().find(|c| forbidden(*c)) {
            Some(c) => Err(ValueError::id(format!("holds {c:?} and cannot be an id"))),
            None => Ok(Self(text.to_owned())),
        }
    }
}

macro_rules! numbered {
    ($(#[doc = $doc:literal] $name:ident $form:literal;)+) => {$(
        #[doc = $doc]
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub(crate) struct $name(String);

        impl $name {
            /// The id.
            pub(crate) fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = ValueError;

            fn from_str(text: &str) -> Result<Self, ValueError> {
                let number = text.strip_prefix($form).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
                match number.and_then(|digits| digits.parse::<u64>().ok()) {
                    Some(_) => Ok(Self(text.to_owned())),
                    None => Err(ValueError::id(concat!("is not an id such as ", $form, "42"))),
                }
            }
        }
    )+};
}

numbered! {
    /// What may be the id of a message.
    MessageArg "m";
    /// What may be the id of a request.
    RequestArg "r";
}

/// A point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment(pub(crate) WireTime);

impl FromStr for Moment {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let why = |error: adjutant_api::time::TimeMalformed| format!("is not a point in time: {}", error.why);
        text.parse().map(Self).map_err(|error| ValueError::usage(why(error)))
    }
}

/// A variable for a session: `NAME=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl FromStr for Variable {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() && !text.contains('\0') => {
                Ok(Self { name: name.to_owned(), value: value.to_owned() })
            }
            Some(_) | None => Err(ValueError::usage("has not the form NAME=value")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g7_the_form_of_an_id_is_checked_before_anything_else() {
        for bad in ["", "-x", "--all", "../x", "a/b", "a.b", "a:b", "a b", "a\n", "a\u{1b}", "..%2F..%2Fx"] {
            assert_eq!(bad.parse::<SessionArg>().unwrap_err().code, ErrorCode::IdInvalid, "{bad:?}");
        }
        for good in ["fizz-top", "self", "0198c200-aabb-7cdd-8eff-010203040506", "0198C200", "Fizz"] {
            assert!(good.parse::<SessionArg>().is_ok(), "{good}");
        }
    }

    #[test]
    fn numbered_ids_have_their_letter() {
        assert!("m42".parse::<MessageArg>().is_ok());
        for bad in ["", "m", "42", "r42", "m-1", "m 1", "m99999999999999999999999"] {
            assert_eq!(bad.parse::<MessageArg>().unwrap_err().code, ErrorCode::IdInvalid, "{bad:?}");
        }
    }
}
