//! What `adj` is called on another machine.

use std::fmt;
use std::str::FromStr;

/// One word, or an absolute path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteProgram(String);

impl RemoteProgram {
    /// As it is called, not quoted yet.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for RemoteProgram {
    fn default() -> Self {
        Self("adj".to_owned())
    }
}

impl fmt::Display for RemoteProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RemoteProgram {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let path = text.starts_with('/') && !text.contains(char::is_control);
        let in_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+');
        let word = !text.is_empty() && !text.starts_with('-') && text.chars().all(in_word);
        if path || word {
            return Ok(Self(text.to_owned()));
        }
        Err(format!("`{}` is neither one word nor an absolute path", text.escape_debug()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h10_a_program_is_one_word_or_an_absolute_path() {
        for good in ["adj", "adj-0.2", "/opt/adj", "/opt/my tools/adj", "/x;y"] {
            assert_eq!(good.parse::<RemoteProgram>().unwrap().as_str(), good);
        }
        for bad in ["", "-x", "adj; id", "a b", "a/b", "$(id)", "adj\n", "/a\nb", "~/adj", "é"] {
            assert!(bad.parse::<RemoteProgram>().is_err(), "{bad:?}");
        }
    }
}
