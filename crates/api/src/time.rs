//! Points in time as they cross the socket: RFC 3339, UTC, milliseconds.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use adjutant_core::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Value, json};

use crate::schema::{Definitions, Schema};

/// A moment in milliseconds since 1970, written as `2026-11-20T09:14:02.118Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WireTime(i64);

/// A text that is no point in time; says which part is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a point in time: {why}")]
pub struct TimeMalformed {
    /// The text as it was given.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

const DAY_MS: i64 = 86_400_000;

/// The last moment that still has a year of four digits.
const LATEST_MS: i64 = 253_402_300_799_999;

impl WireTime {
    /// Takes milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }
}

impl From<Timestamp> for WireTime {
    fn from(at: Timestamp) -> Self {
        Self(at.as_millis())
    }
}

impl From<WireTime> for Timestamp {
    fn from(at: WireTime) -> Self {
        Self::from_millis(at.0)
    }
}

impl fmt::Display for WireTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.clamp(0, LATEST_MS);
        let (year, month, day) = civil(millis.div_euclid(DAY_MS));
        let rest = millis.rem_euclid(DAY_MS);
        let (hour, minute, second) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1_000 % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", rest % 1_000)
    }
}

impl FromStr for WireTime {
    type Err = TimeMalformed;

    /// Reads RFC 3339 with an offset or `Z`; digits beyond milliseconds are cut.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        read(text).map_err(|why| TimeMalformed { text: text.to_owned(), why })
    }
}

fn read(text: &str) -> Result<WireTime, &'static str> {
    const FORM: &str = "it has the form 2026-11-20T09:14:02Z";
    if !text.is_ascii() || text.len() < 19 {
        return Err(FORM);
    }
    let raw = text.as_bytes();
    let marks_right = [(4, "-"), (7, "-"), (10, "Tt "), (13, ":"), (16, ":")];
    if marks_right.iter().any(|(at, allowed)| !allowed.as_bytes().contains(&raw[*at])) {
        return Err(FORM);
    }
    let part = |range: std::ops::Range<usize>| digits(&text[range]).ok_or(FORM);
    let day_millis = date_millis(part(0..4)?, part(5..7)?, part(8..10)?)?;
    let clock_millis = clock_millis(part(11..13)?, part(14..16)?, part(17..19)?)?;
    let (fraction, offset) = fraction(&text[19..])?;
    Ok(WireTime(day_millis + clock_millis + fraction - offset_millis(offset)?))
}

fn digits(text: &str) -> Option<i64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn date_millis(year: i64, month: i64, day: i64) -> Result<i64, &'static str> {
    if !(1..=12).contains(&month) {
        return Err("no such month");
    }
    let days = days_since_epoch(year, month, day);
    if day < 1 || civil(days) != (year, month, day) {
        return Err("no such day");
    }
    Ok(days * DAY_MS)
}

/// A leap second is the first millisecond of the next minute.
fn clock_millis(hour: i64, minute: i64, second: i64) -> Result<i64, &'static str> {
    if hour > 23 || minute > 59 || second > 60 {
        return Err("no such time of day");
    }
    Ok(hour * 3_600_000 + minute * 60_000 + second * 1_000)
}

/// Splits `.118Z` into 118 milliseconds and `Z`.
fn fraction(rest: &str) -> Result<(i64, &str), &'static str> {
    let Some(after_dot) = rest.strip_prefix('.') else {
        return Ok((0, rest));
    };
    let end = after_dot.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(after_dot.len());
    if end == 0 {
        return Err("no digits after the point");
    }
    let millis: String = after_dot[..end].chars().chain("000".chars()).take(3).collect();
    Ok((digits(&millis).unwrap_or(0), &after_dot[end..]))
}

fn offset_millis(offset: &str) -> Result<i64, &'static str> {
    const FORM: &str = "it needs an offset: `Z`, `+02:00` or `-05:30` at its end";
    if offset.eq_ignore_ascii_case("z") {
        return Ok(0);
    }
    let sign = match offset.as_bytes().first() {
        Some(b'+') => 1,
        Some(b'-') => -1,
        Some(_) | None => return Err(FORM),
    };
    let (hours, minutes) = offset[1..].split_once(':').ok_or(FORM)?;
    let two = |text: &str| if text.len() == 2 { digits(text) } else { None };
    match (two(hours), two(minutes)) {
        (Some(hours @ 0..=23), Some(minutes @ 0..=59)) => Ok(sign * (hours * 3_600_000 + minutes * 60_000)),
        (Some(_) | None, Some(_) | None) => Err(FORM),
    }
}

/// Days since 1970-01-01 of a day in the Gregorian calendar, counted in eras of 400 years that begin in March.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The day in the Gregorian calendar; the inverse of [`days_since_epoch`].
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

impl Serialize for WireTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WireTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl Schema for WireTime {
    fn describe(_: &mut Definitions) -> Value {
        json!({"type": "string", "format": "date-time"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_survive_their_text() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_795_166_042_118, "2026-11-20T09:14:02.118Z"),
            (LATEST_MS, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(WireTime(millis).to_string(), text);
            assert_eq!(text.parse(), Ok(WireTime(millis)));
        }
    }

    #[test]
    fn every_day_of_ten_centuries_survives() {
        for day in 0..366_000 {
            let (year, month, dom) = civil(day);
            assert_eq!(days_since_epoch(year, month, dom), day);
        }
    }

    #[test]
    fn offsets_and_fractions_are_read() {
        for text in ["2026-11-20T11:14:02.118+02:00", "2026-11-20t03:44:02.1189-05:30", "2026-11-20 09:14:02.118z"] {
            assert_eq!(text.parse(), Ok(WireTime(1_795_166_042_118)), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let why = |text: &str| text.parse::<WireTime>().unwrap_err().why;
        assert!(why("2026-11-20T09:14:02").contains("offset"));
        assert!(why("2026-11-20T09:14:02+2").contains("offset"));
        assert_eq!(why("2026-13-20T09:14:02Z"), "no such month");
        assert_eq!(why("2026-02-29T09:14:02Z"), "no such day");
        assert_eq!(why("2026-02-20T24:14:02Z"), "no such time of day");
        assert!(why("tomorrow").contains("form"));
    }
}
