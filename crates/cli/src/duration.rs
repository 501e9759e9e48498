//! Durations as people write them: `500ms`, `1.5h`, `1h30m`, `1 minute`.

use std::str::FromStr;
use std::time::Duration;

use crate::value::ValueError;

/// A span with units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) u64);

impl Span {
    /// Its milliseconds.
    pub(crate) const fn millis(self) -> u64 {
        self.0
    }
}

/// A limit: a span, a bare number of seconds, or `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// So many milliseconds; 0 looks once.
    Millis(u64),
    /// No limit.
    None,
}

impl Limit {
    /// Milliseconds, where there is a limit.
    pub(crate) const fn millis(self) -> Option<u64> {
        match self {
            Self::Millis(millis) => Some(millis),
            Self::None => None,
        }
    }

    /// The limit as a duration.
    pub(crate) fn duration(self) -> Option<Duration> {
        self.millis().map(Duration::from_millis)
    }
}

/// No command waits longer: a century, so that no sum of two overflows anywhere.
const LONGEST_MS: u64 = 100 * 365 * 86_400_000;

const UNITS: [(u64, &[&str]); 6] = [
    (1, &["ms"]),
    (1_000, &["s", "sec", "secs", "second", "seconds"]),
    (60_000, &["m", "min", "mins", "minute", "minutes"]),
    (3_600_000, &["h", "hr", "hrs", "hour", "hours"]),
    (86_400_000, &["d", "day", "days"]),
    (604_800_000, &["w", "week", "weeks"]),
];

impl FromStr for Span {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(ValueError::usage("is empty"));
        }
        let mut total = 0_u64;
        while !rest.is_empty() {
            let (millis, after) = part(rest)?;
            total = total.checked_add(millis).filter(|sum| *sum <= LONGEST_MS).ok_or_else(too_long)?;
            rest = after.trim_start();
        }
        Ok(Self(total))
    }
}

fn too_long() -> ValueError {
    ValueError::usage("is longer than a century")
}

/// Reads one number and its unit from the front.
fn part(text: &str) -> Result<(u64, &str), ValueError> {
    if text.starts_with('-') {
        return Err(ValueError::usage("is negative"));
    }
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    let rest = rest.trim_start();
    let unit_end = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
    let (unit, after) = rest.split_at(unit_end);
    if number.is_empty() {
        return Err(ValueError::usage(format!("has no number before `{text}`")));
    }
    if unit.is_empty() {
        return Err(ValueError::usage("has no unit (ms, s, m, h, d, w)"));
    }
    let factor = factor(unit).ok_or_else(|| ValueError::usage(format!("has the unknown unit `{unit}`")))?;
    Ok((scaled(number, factor)?, after))
}

fn factor(unit: &str) -> Option<u64> {
    let unit = unit.to_ascii_lowercase();
    UNITS.iter().find(|(_, names)| names.contains(&unit.as_str())).map(|(factor, _)| *factor)
}

/// A decimal number times a factor, exactly; what is less than a millisecond is cut.
fn scaled(number: &str, factor: u64) -> Result<u64, ValueError> {
    let wrong = || ValueError::usage(format!("has the impossible number `{number}`"));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
        return Err(wrong());
    }
    let whole: u64 = whole.parse().map_err(|_| too_long())?;
    let whole = whole.checked_mul(factor).ok_or_else(too_long)?;
    let digits = &fraction[..fraction.len().min(9)];
    let scale = 10_u64.pow(u32::try_from(digits.len()).unwrap_or(9));
    let fraction: u64 = digits.parse().map_err(|_| wrong())?;
    whole.checked_add(fraction * factor / scale).ok_or_else(too_long)
}

impl FromStr for Limit {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("none") {
            return Ok(Self::None);
        }
        let bare = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let millis = if bare { scaled(text, 1_000)? } else { text.parse::<Span>()?.0 };
        if millis > LONGEST_MS { Err(too_long()) } else { Ok(Self::Millis(millis)) }
    }
}

/// A span in words of one unit, as tables show it: `14s`, `2m`, `3h`, `5d`.
pub(crate) fn age(millis: u64) -> String {
    let seconds = millis / 1_000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// A span as a person would write it: `300s`, `1.5s`, `250ms`.
pub(crate) fn words(millis: u64) -> String {
    match millis {
        0 => "0s".to_owned(),
        1..1_000 => format!("{millis}ms"),
        _ if millis.is_multiple_of(1_000) => format!("{}s", millis / 1_000),
        _ => format!("{}.{}s", millis / 1_000, millis % 1_000 / 100),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_accepted() {
        for (text, millis) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("1.5h", 5_400_000),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            ("1 minute", 60_000),
            ("1hour", 3_600_000),
            ("1 day", 86_400_000),
            ("2WEEKS", 1_209_600_000),
            ("3 Secs", 3_000),
            ("1d2h3m4s5ms", 93_784_005),
            ("0s", 0),
            ("0.0005s", 0),
        ] {
            assert_eq!(text.parse(), Ok(Span(millis)), "{text}");
        }
    }

    #[test]
    fn every_unit_of_the_page_is_known() {
        for unit in "ms s sec secs second seconds m min mins minute minutes h hr hrs hour hours d day days w week weeks"
            .split(' ')
        {
            assert!(format!("1{unit}").parse::<Span>().is_ok(), "{unit}");
            assert!(format!("1 {}", unit.to_uppercase()).parse::<Span>().is_ok(), "{unit}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let why = |text: &str| text.parse::<Span>().unwrap_err().to_string();
        assert_eq!(why(""), "is empty");
        assert_eq!(why("5"), "has no unit (ms, s, m, h, d, w)");
        assert_eq!(why("1h30"), "has no unit (ms, s, m, h, d, w)");
        assert_eq!(why("-5s"), "is negative");
        assert_eq!(why("5 parsec"), "has the unknown unit `parsec`");
        assert_eq!(why("soon"), "has no number before `soon`");
        assert_eq!(why("1.2.3s"), "has the impossible number `1.2.3`");
        assert_eq!(why(".5s"), "has the impossible number `.5`");
        assert_eq!(why("99999999999999999999h"), "is longer than a century");
        assert_eq!(why("5300w"), "is longer than a century");
    }

    #[test]
    fn limits_take_bare_seconds_and_none() {
        for (text, limit) in [
            ("0", Limit::Millis(0)),
            ("300", Limit::Millis(300_000)),
            ("1.5", Limit::Millis(1_500)),
            ("2m", Limit::Millis(120_000)),
            ("none", Limit::None),
        ] {
            assert_eq!(text.parse(), Ok(limit), "{text}");
        }
        for text in ["", "-1", "x", "nope", "99999999999999999"] {
            assert!(text.parse::<Limit>().is_err(), "{text}");
        }
    }

    #[test]
    fn ages_have_one_unit() {
        assert_eq!([0, 14_000, 125_000, 7_200_000, 172_800_000].map(age), ["0s", "14s", "2m", "2h", "2d"]);
        assert_eq!([0, 250, 1_500, 300_000].map(words), ["0s", "250ms", "1.5s", "300s"]);
    }
}
