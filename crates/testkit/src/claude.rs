//! A world with the real Claude Code in it, which talks to a model server of the test and to nothing else.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use crate::command::Ended;
use crate::model::Model;
use crate::pinned;
use crate::world::World;

/// A world in which `--cli claude` finds the pinned Claude Code, set up for a user who trusts the working directory.
#[derive(Debug)]
pub struct ClaudeWorld {
    // The world ends first: whatever still talks to the model does not find it gone.
    world: World,
    model: Model,
}

/// How long an agent may take for something that is none of its work.
pub const AGENT_MAX: Duration = Duration::from_secs(30);

impl ClaudeWorld {
    /// A new world.
    ///
    /// # Panics
    /// Where the test command has not said where Claude Code is, or nothing can be written.
    pub fn new() -> Self {
        Self::with_model(Model::start())
    }

    /// A new world with this model.
    ///
    /// # Panics
    /// Where the test command has not said where Claude Code is, or nothing can be written.
    pub fn with_model(model: Model) -> Self {
        let mut this = Self { world: World::new(), model };
        let seed = serde_json::json!({
            "hasCompletedOnboarding": true,
            "projects": { this.world.work().display().to_string(): { "hasTrustDialogAccepted": true } },
        });
        this.write_home(".claude.json", &seed.to_string());
        this.write_home(".claude/settings.json", r#"{"skipDangerousModePermissionPrompt":true}"#);
        let bin = this.world.root().join("bin");
        std::fs::create_dir(&bin).expect("a directory in the world");
        std::os::unix::fs::symlink(pinned::claude(), bin.join("claude")).expect("a link in the world");
        let path = std::env::var("PATH").unwrap_or_default();
        let tmp = this.world.root().join("tmp").display().to_string();
        for (name, value) in [
            ("PATH", format!("{}:{path}", bin.display())),
            ("USER", "tester".to_owned()),
            ("ANTHROPIC_BASE_URL", this.model.url()),
            ("ANTHROPIC_AUTH_TOKEN", "fake".to_owned()),
            ("CLAUDE_CODE_TMPDIR", tmp),
            ("CLAUDE_CODE_MAX_RETRIES", "2".to_owned()),
            ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1".to_owned()),
            ("DISABLE_TELEMETRY", "1".to_owned()),
            ("DISABLE_AUTOUPDATER", "1".to_owned()),
            ("DISABLE_ERROR_REPORTING", "1".to_owned()),
            ("IS_SANDBOX", "1".to_owned()),
        ] {
            this.world.set_variable(name, &value);
        }
        this
    }

    /// The model server.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Writes a file of the user's home.
    ///
    /// # Panics
    /// Where it cannot be written.
    pub fn write_home(&self, name: &str, text: &str) {
        let path = self.world.root().join("home").join(name);
        std::fs::create_dir_all(path.parent().expect("it has a directory")).expect("a directory in the world");
        std::fs::write(path, text).expect("a file in the world");
    }

    /// Whether a file is in the directory in which commands run.
    ///
    /// # Panics
    /// Where that cannot be seen.
    #[track_caller]
    pub fn has_file(&self, name: &str) -> bool {
        self.world.work().join(name).try_exists().expect("a directory of the world")
    }

    /// Creates a session in a mode and gives its id.
    #[track_caller]
    pub fn claude(&self, mode: &str) -> String {
        self.adj(["create", "-q", "--cli", "claude", "--mode", mode]).expect_code(0).word().to_owned()
    }

    /// Sends a message and waits for its end; gives how the wait ended.
    #[track_caller]
    pub fn turn(&self, session: &str, text: &str) -> Ended {
        let message = self.send(session, text);
        self.adj(["wait", session, "--for", &message])
    }

    /// Sends a message, waits for its end, which must be a good one, and gives the final text.
    #[track_caller]
    pub fn answer(&self, session: &str, text: &str) -> String {
        let _ = self.turn(session, text).expect_code(0);
        let said = self.adj(["last-message", session]).expect_code(0).stdout;
        said.strip_suffix('\n').unwrap_or(&said).to_owned()
    }

    /// The path of the session's tmux server.
    ///
    /// # Panics
    /// Where there is not exactly one session.
    pub fn tmux_socket(&self) -> std::path::PathBuf {
        let sessions = std::fs::read_dir(self.state().join("run/s")).expect("sessions have run");
        let sockets: Vec<_> = sessions.flatten().map(|entry| entry.path().join("tmux")).collect();
        let [socket] = sockets.as_slice() else { panic!("not exactly one: {sockets:?}") };
        socket.clone()
    }

    /// Runs tmux on the server of the one session, as a person would.
    #[track_caller]
    pub fn tmux<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> String {
        let mut tmux = self.command("tmux");
        tmux.arg("-u").arg("-S").arg(self.tmux_socket()).args(words);
        crate::Running::start(tmux).end().expect_code(0).stdout
    }

    /// What the screen of the one session shows.
    #[track_caller]
    pub fn screen(&self) -> String {
        self.tmux(["capture-pane", "-p", "-t", "%0"])
    }

    /// What stands in the line of the one session in which a person types.
    #[track_caller]
    pub fn line(&self) -> String {
        let screen = self.screen();
        let (_, line) = screen.rsplit_once('❯').unwrap_or_default();
        line.split('─').next().unwrap_or_default().trim().to_owned()
    }

    /// Waits until the screen of the one session shows something.
    #[track_caller]
    pub fn await_screen(&self, what: &str) {
        crate::await_fact(&format!("the screen shows {what:?}"), AGENT_MAX, || self.screen().contains(what));
    }
}

impl Default for ClaudeWorld {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for ClaudeWorld {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl DerefMut for ClaudeWorld {
    fn deref_mut(&mut self) -> &mut World {
        &mut self.world
    }
}
