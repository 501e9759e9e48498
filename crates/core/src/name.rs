//! Names of sessions: a champion and a role, or what the caller chose.

use std::fmt;
use std::str::FromStr;

use crate::limits::{NAME_CHARS_MAX, NAME_CHARS_MIN};

/// The champions, in the order of the list that older tools used.
#[rustfmt::skip]
pub const CHAMPIONS: [&str; 146] = [
    "ahri", "akali", "alistar", "amumu", "anivia", "annie", "ashe", "azir", "bard", "blitz", "brand",
    "braum", "cait", "camille", "cass", "chogath", "corki", "darius", "diana", "draven", "mundo", "ekko",
    "elise", "evelynn", "ezreal", "fiddle", "fiora", "fizz", "galio", "garen", "gnar", "gragas", "graves",
    "hecarim", "heimer", "illaoi", "irelia", "ivern", "janna", "jarvan", "jax", "jayce", "jhin", "jinx",
    "kaisa", "kalista", "karma", "karthus", "kassadin", "kata", "kayle", "kayn", "kennen", "khazix",
    "kindred", "kled", "kogmaw", "leblanc", "lee", "leona", "lissandra", "lucian", "lulu", "lux", "malph",
    "malz", "mao", "master-yi", "mf", "morgana", "nami", "nasus", "nautilus", "neeko", "nidalee",
    "nocturne", "nunu", "olaf", "orianna", "ornn", "pantheon", "poppy", "pyke", "qiyana", "quinn", "rakan",
    "rammus", "reksai", "renekton", "rengar", "riven", "rumble", "ryze", "sejuani", "senna", "sett",
    "shaco", "shen", "shyvana", "singed", "sion", "sivir", "skarner", "sona", "soraka", "swain", "sylas",
    "syndra", "tahm", "taliyah", "talon", "taric", "teemo", "thresh", "tristana", "trundle", "tryndamere",
    "tf", "twitch", "udyr", "urgot", "varus", "vayne", "veigar", "velkoz", "vi", "viego", "viktor",
    "vladimir", "volibear", "warwick", "wukong", "xayah", "xerath", "xin", "yasuo", "yone", "yorick",
    "yuumi", "zac", "zed", "zeri", "ziggs", "zilean", "zoe", "zyra",
];

/// The roles. What follows the last hyphen of a name is its role, since one champion's name contains a hyphen.
pub const ROLES: [&str; 5] = ["top", "jg", "mid", "adc", "sup"];

/// How many names a champion and a role make.
pub const PLAIN_NAMES: usize = CHAMPIONS.len() * ROLES.len();

/// Words that mean somebody else wherever a session's name may stand.
pub const RESERVED: [&str; 7] = ["self", "parent", "all", "none", "human", "adjutant", "terminal"];

/// A session's name, unique within a host: `[a-z][a-z0-9]*(-[a-z0-9]+)*`, 2 to 40 characters, no reserved word.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionName(String);

/// A text that cannot be a session's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` cannot be a session's id: {why}")]
pub struct NameMalformed {
    /// The text as it was given.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl SessionName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a champion and a role and nothing else.
    pub fn is_plain(&self) -> bool {
        let parts = self.0.rsplit_once('-');
        parts.is_some_and(|(champion, role)| ROLES.contains(&role) && CHAMPIONS.contains(&champion))
    }
}

impl fmt::Display for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SessionName {
    type Err = NameMalformed;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match flaw(text) {
            None => Ok(Self(text.to_owned())),
            Some(why) => Err(NameMalformed { text: text.to_owned(), why }),
        }
    }
}

fn flaw(text: &str) -> Option<&'static str> {
    if !(NAME_CHARS_MIN..=NAME_CHARS_MAX).contains(&text.chars().count()) {
        return Some("it needs 2 to 40 characters");
    }
    if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Some("it begins with a lower-case letter");
    }
    let part_right =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if !text.split('-').all(part_right) {
        return Some("it is made of lower-case letters, digits and single hyphens");
    }
    RESERVED.contains(&text).then_some("that word is reserved")
}

/// Chooses a free name, beginning the search at a place that `seed` names.
///
/// Each of the 730 plain names is tried once; when all are taken, the plain name of the seed gets `-2`, `-3` and so on.
pub fn choose(seed: u64, is_taken: impl Fn(&SessionName) -> bool) -> SessionName {
    let start = usize::try_from(seed % PLAIN_NAMES as u64).unwrap_or(0);
    // 730 and 271 have no common factor, so that the walk meets every name once, and neighbours look different.
    let plain = |step: usize| plain_name((start + step * 271) % PLAIN_NAMES);
    let free = (0..PLAIN_NAMES).map(plain).find(|name| !is_taken(name));
    free.unwrap_or_else(|| choose_numbered(seed, is_taken))
}

/// The same where every plain name is known to be taken.
pub fn choose_numbered(seed: u64, is_taken: impl Fn(&SessionName) -> bool) -> SessionName {
    let plain = plain_name(usize::try_from(seed % PLAIN_NAMES as u64).unwrap_or(0));
    let with = |number: u64| SessionName(format!("{plain}-{number}"));
    (2..).map(with).find(|name| !is_taken(name)).unwrap_or_else(|| with(u64::MAX))
}

fn plain_name(index: usize) -> SessionName {
    SessionName(format!("{}-{}", CHAMPIONS[index / ROLES.len()], ROLES[index % ROLES.len()]))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_plain_name_is_a_name() {
        for index in 0..PLAIN_NAMES {
            let name = plain_name(index);
            assert!(name.is_plain());
            assert_eq!(name.as_str().parse(), Ok(name));
        }
    }

    #[test]
    fn all_730_are_used_before_a_number_is_added() {
        let mut taken = BTreeSet::new();
        for seed in 0..730 {
            let name = choose(seed * 7, |n| taken.contains(n));
            assert!(name.as_str().split('-').next_back().is_some_and(|role| ROLES.contains(&role)), "{name}");
            assert!(taken.insert(name));
        }
        let next = choose(0, |n| taken.contains(n));
        assert_eq!(next.as_str(), "ahri-top-2");
        assert!(!next.is_plain());
        taken.insert(next);
        assert_eq!(choose(0, |n| taken.contains(n)).as_str(), "ahri-top-3");
    }

    #[test]
    fn b9_chosen_names_are_checked() {
        for bad in [
            "../x", "a b", "--all", "a", "", "self", "human", "terminal", "A-top", "a--b", "-a", "a-", "1a", "a.b",
            "a:b", "a
",
        ] {
            assert!(bad.parse::<SessionName>().is_err(), "{bad:?}");
        }
        assert!("a".repeat(41).parse::<SessionName>().is_err());
        for good in ["ab", "fizz-top", "master-yi-jg", "a1-2", "build"] {
            assert!(good.parse::<SessionName>().is_ok(), "{good}");
        }
    }
}
