//! The smallest parts: numbers, texts, ids and moments.

use std::collections::BTreeSet;

use adjutant_core::agent::AgentName;
use adjutant_core::id::{Attempt, MessageId, RequestId, SessionId, TokenId, TurnNumber};
use adjutant_core::name::SessionName;
use adjutant_core::time::{BootId, Timestamp};

use super::{Malformed, Part, Stored};

/// Parts that are stored as they are.
macro_rules! plain {
    ($($Type:ty),*) => {$(
        impl Part for $Type {}

        impl Stored for $Type {
            type Row = Self;

            fn to_row(&self) -> Self {
                self.clone()
            }

            fn from_row(row: Self) -> Result<Self, Malformed> {
                Ok(row)
            }
        }
    )*};
}

plain!(bool, i32, i64, u32, u64, String);

/// Newtypes around a plain part.
macro_rules! wrapped {
    ($($Type:ident: $Row:ty = $to:expr, $from:expr;)*) => {$(
        impl Stored for $Type {
            type Row = $Row;

            fn to_row(&self) -> $Row {
                let to: fn(&$Type) -> $Row = $to;
                to(self)
            }

            fn from_row(row: $Row) -> Result<Self, Malformed> {
                let from: fn($Row) -> Result<$Type, Malformed> = $from;
                from(row)
            }
        }
    )*};
}

wrapped! {
    Timestamp: i64 = |at| at.as_millis(), |row| Ok(Timestamp::from_millis(row));
    MessageId: u64 = |id| id.get(), |row| Ok(MessageId::new(row));
    TokenId: u64 = |id| id.get(), |row| Ok(TokenId::new(row));
    RequestId: u64 = |id| id.get(), |row| Ok(RequestId::new(row));
    TurnNumber: u32 = |number| number.get(), |row| Ok(TurnNumber::new(row));
    Attempt: u32 = |number| number.get(), |row| Ok(Attempt::new(row));
    AgentName: String = |name| name.as_str().to_owned(), |row| Ok(AgentName::new(row));
    SessionName: String = |name| name.as_str().to_owned(), |row| row.parse().map_err(malformed);
    SessionId: String = |id| id.to_string(), |row| row.parse().map_err(malformed);
    BootId: String = |id| SessionId::from_bytes(id.0).to_string(), boot_id;
}

/// A boot's id is a UUID too, and is written like one.
fn boot_id(row: String) -> Result<BootId, Malformed> {
    let id: SessionId = row.parse().map_err(malformed)?;
    Ok(BootId(*id.as_bytes()))
}

fn malformed(error: impl std::error::Error) -> Malformed {
    Malformed(error.to_string())
}

impl<P: Part> Part for Option<P> {
    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

impl<T: Stored> Stored for Option<T> {
    type Row = Option<T::Row>;

    fn to_row(&self) -> Self::Row {
        self.as_ref().map(T::to_row)
    }

    fn from_row(row: Self::Row) -> Result<Self, Malformed> {
        row.map(T::from_row).transpose()
    }
}

impl<P: Part> Part for Vec<P> {}

impl<T: Stored> Stored for Vec<T> {
    type Row = Vec<T::Row>;

    fn to_row(&self) -> Self::Row {
        self.iter().map(T::to_row).collect()
    }

    fn from_row(row: Self::Row) -> Result<Self, Malformed> {
        row.into_iter().map(T::from_row).collect()
    }
}

impl<P: Part> Part for BTreeSet<P> {}

impl<T: Stored + Ord> Stored for BTreeSet<T>
where
    T::Row: Ord,
{
    type Row = BTreeSet<T::Row>;

    fn to_row(&self) -> Self::Row {
        self.iter().map(T::to_row).collect()
    }

    fn from_row(row: Self::Row) -> Result<Self, Malformed> {
        row.into_iter().map(T::from_row).collect()
    }
}
