//! Transcripts: commands and what they gave, compared as a whole.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A home of its own, without anything of the machine's.
pub(crate) struct World {
    root: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

impl World {
    /// An empty world.
    pub(crate) fn new() -> Self {
        let root = tempfile::Builder::new().prefix("adj").tempdir().expect("a directory for the test");
        std::fs::create_dir(root.path().join("work")).expect("a directory to work in");
        Self { root, variables: Vec::new() }
    }

    /// The same world with one more variable.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The directory in which everything of it lies.
    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// Writes a file in the directory in which commands run.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.root().join("work").join(name), bytes).expect("a file for the test");
    }

    /// A line for bash, in which `adj` is the binary under test.
    #[expect(clippy::disallowed_methods, reason = "a test of the binary runs the binary")]
    pub(crate) fn bash(&self, line: &str) -> Output {
        let bin = Path::new(env!("CARGO_BIN_EXE_adj"));
        let path =
            format!("{}:/usr/local/bin:/usr/bin:/bin", bin.parent().expect("the binary lies in a directory").display());
        let mut command = Command::new("bash");
        command.args(["--norc", "--noprofile", "-c", line]).env_clear().stdin(Stdio::null());
        command.env("PATH", path).env("ADJ_HOME", self.home()).current_dir(self.root().join("work"));
        command.envs(self.variables.iter().cloned()).output().expect("bash")
    }

    /// The host's home in this world.
    pub(crate) fn home(&self) -> PathBuf {
        self.root().join("home")
    }

    /// Runs every command of a transcript and compares.
    pub(crate) fn replay(&self, expected: &str) {
        let expected = expected.trim_start_matches('\n');
        let commands = expected.lines().filter_map(|line| line.strip_prefix("$ "));
        let given: String = commands.map(|line| self.shown(line)).collect();
        assert!(given == expected, "\n--- expected\n{expected}\n--- given\n{given}");
    }

    fn shown(&self, line: &str) -> String {
        let output = self.bash(line);
        let root = self.root().to_str().expect("a path in UTF-8");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(root, "[ROOT]");
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        let mut shown = format!("$ {line}\n{stdout}");
        if !stdout.is_empty() && !stdout.ends_with('\n') {
            shown.push_str("[no line feed]\n");
        }
        for line in stderr.lines() {
            shown.push_str(&format!("{}\n", format!("2| {line}").trim_end()));
        }
        shown + &format!("= {}\n", output.status.code().map_or("signal".to_owned(), |code| code.to_string()))
    }
}
