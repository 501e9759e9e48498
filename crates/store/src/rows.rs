//! The form of core types on disk, and the two conversions, `to_row` and `from_row`.
//!
//! Core types know nothing of serde. Each has a row type here that mirrors it field by field, and the names in the rows
//! are what the disk remembers: a name that the core changes keeps its old form here with `#[serde(rename)]`.
//!
//! Compatibility: a new field of a row is optional and needs no new schema. A new variant of an enum or a new kind of
//! event that older versions must not pass over needs a new schema version, which makes them refuse the store.

#[macro_use]
mod mirror;

mod agent;
pub(crate) mod event;
mod message;
pub(crate) use message::KeptRequest;
mod outcome;
mod scalar;
pub(crate) mod session;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What is stored does not have the form of what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Malformed(pub(crate) String);

/// A core type that has a form on disk.
pub(crate) trait Stored: Sized {
    /// That form.
    type Row: Part + Serialize + DeserializeOwned;

    fn to_row(&self) -> Self::Row;

    fn from_row(row: Self::Row) -> Result<Self, Malformed>;
}

/// Where something is held is not stored.
impl<T: Stored> Stored for Box<T> {
    type Row = T::Row;

    fn to_row(&self) -> Self::Row {
        T::to_row(self)
    }

    fn from_row(row: Self::Row) -> Result<Self, Malformed> {
        T::from_row(row).map(Self::new)
    }
}

/// A part of a row; what is absent is left out of the JSON.
pub(crate) trait Part {
    fn is_absent(&self) -> bool {
        false
    }
}

/// For serde's `skip_serializing_if`, which wants a path.
pub(crate) fn is_absent<P: Part>(part: &P) -> bool {
    part.is_absent()
}

/// Reads a field in which `null` is a value and only absence is `None`.
pub(crate) fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

pub(crate) fn to_json<T: Stored>(value: &T) -> String {
    row_to_json(&value.to_row())
}

pub(crate) fn from_json<T: Stored>(json: &str) -> Result<T, Malformed> {
    T::from_row(row_from_json(json)?)
}

pub(crate) fn row_to_json<R: Serialize>(row: &R) -> String {
    serde_json::to_string(row).expect("rows have string keys and no part that fails to serialise")
}

pub(crate) fn row_from_json<R: DeserializeOwned>(json: &str) -> Result<R, Malformed> {
    serde_json::from_str(json).map_err(|error| Malformed(error.to_string()))
}
