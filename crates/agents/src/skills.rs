//! Where agents look for skills: files that teach an agent how to use a tool.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::path::find_on;

/// Where one agent looks for skills. A skill is a directory there, with the file `SKILL.md` in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkillPlaces {
    /// The agent's program or its directory is there, so that somebody here uses it.
    pub present: bool,
    /// For all directories of this user.
    pub global: PathBuf,
    /// For one directory, relative to it.
    pub local: PathBuf,
}

/// What an agent's folder knows of it.
pub(crate) struct SkillReader {
    /// The variable that names the agent's own directory.
    pub(crate) variable: &'static str,
    /// Its own directory, seen from the user's home, where the variable is not set.
    pub(crate) directory: &'static str,
    /// Its program.
    pub(crate) program: &'static str,
    /// Where skills of one directory are, relative to that.
    pub(crate) local: &'static str,
}

impl SkillReader {
    /// The places for a caller with this environment; nothing where it says of no home.
    pub(crate) fn places(&self, environment: &BTreeMap<String, String>) -> Option<SkillPlaces> {
        let set = |name: &str| environment.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let own = set(self.variable).or_else(|| set("HOME").map(|home| home.join(self.directory)))?;
        let path = environment.get("PATH").map_or("", String::as_str);
        let present = own.is_dir() || find_on(path, self.program).is_some();
        Some(SkillPlaces { present, global: own.join("skills"), local: Path::new(self.local).to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READER: SkillReader =
        SkillReader { variable: "X_HOME", directory: ".x", program: "no-such-program", local: ".x/skills" };

    fn places(variables: &[(&str, &str)]) -> Option<SkillPlaces> {
        READER.places(&variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn the_variable_wins_over_the_home() {
        let home = tempfile::tempdir().unwrap();
        let name = home.path().to_str().unwrap();
        assert_eq!(places(&[("HOME", name)]).unwrap().global, home.path().join(".x/skills"));
        let own = places(&[("HOME", "/nowhere"), ("X_HOME", name)]).unwrap();
        assert_eq!((own.present, own.global), (true, home.path().join("skills")));
        assert_eq!(places(&[("X_HOME", "")]), None);
    }

    #[test]
    fn an_agent_that_nobody_uses_is_not_present() {
        assert!(!places(&[("HOME", "/nowhere"), ("PATH", "/nowhere")]).unwrap().present);
    }
}
