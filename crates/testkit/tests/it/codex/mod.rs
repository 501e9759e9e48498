//! Codex sessions: the real Codex against a model that plays scripts.

mod crashes;
mod creators;
mod fair;
mod goals;
mod person;
mod requests;
mod server;
mod statuses;
mod talk;
mod texts;

use adjutant_fakemodel::script::Book;
use adjutant_fakemodel::{Options, Server, openai};
use adjutant_testkit::{Process, World};
use serde_json::Value;

use crate::SOON;
use crate::look::{event_types, record};

/// A world with a Codex that nobody else uses, and its model. The world ends before its model does.
pub(crate) struct Codex {
    pub(crate) world: World,
    pub(crate) model: Server,
}

impl Codex {
    pub(crate) fn new() -> Self {
        Self::with_book(Book::default())
    }

    /// With a model that plays by this book what has no marker.
    pub(crate) fn with_book(book: Book) -> Self {
        let model = Server::start(Options { book, ..Options::default() }).expect("a model on loopback");
        let world = World::new();
        let home = world.root().join("codex");
        std::fs::create_dir(&home).expect("a directory in the world");
        std::fs::write(home.join("config.toml"), openai::client_config(&model.url())).expect("a file in the world");
        let codex = adjutant_testkit::pinned::codex();
        let dir = codex.parent().expect("a program lies in a directory").display().to_string();
        let path = std::env::var("PATH").unwrap_or_default();
        let world = world
            .with_variable("PATH", &format!("{dir}:{path}"))
            .with_variable("CODEX_HOME", &home.display().to_string())
            .with_variable(openai::KEY_VARIABLE, "any");
        Self { world, model }
    }

    /// Switches features of Codex on, before it is started.
    pub(crate) fn with_features(self, features: &[&str]) -> Self {
        let file = self.world.root().join("codex/config.toml");
        let config = std::fs::read_to_string(&file).expect("the configuration");
        let on: String = features.iter().map(|feature| format!("\n{feature} = true")).collect();
        std::fs::write(&file, config.replace("[features]", &format!("[features]{on}"))).expect("a file in the world");
        self
    }

    /// A session that asks nobody.
    #[track_caller]
    pub(crate) fn native(&self) -> String {
        self.create(&[])
    }

    /// A session that asks.
    #[track_caller]
    pub(crate) fn guarded(&self) -> String {
        self.create(&["--mode", "guarded"])
    }

    #[track_caller]
    pub(crate) fn create(&self, words: &[&str]) -> String {
        let all = [&["create", "-q", "--cli", "codex"], words].concat();
        self.world.adj(all).expect_code(0).word().to_owned()
    }

    /// The answer to a message.
    #[track_caller]
    pub(crate) fn ask(&self, session: &str, text: &str) -> String {
        self.world.adj(["ask", session, text]).expect_code(0).stdout
    }

    /// The app-server of a session.
    #[track_caller]
    pub(crate) fn server(&self, session: &str) -> Process {
        let record = record(&self.world, session);
        let pid = record["agent"]["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
        pid.and_then(Process::open).unwrap_or_else(|| panic!("the app-server lives: {record:#}"))
    }

    /// Waits until an event of this type is there, and gives how many of it there are.
    #[track_caller]
    pub(crate) fn await_events(&self, session: &str, kind: &str, count: usize) {
        let watch = self.world.start(["watch", "-F", "--since", "0", "--types", kind, session]);
        watch.await_stdout(kind, SOON, |told| told.lines().count() >= count);
        watch.signal(rustix::process::Signal::INT);
        let _ = watch.end();
    }

    /// The one open request of a session.
    #[track_caller]
    pub(crate) fn request(&self, session: &str) -> Value {
        let _ = self.world.adj(["wait", session]).expect_code(3);
        let all = self.world.adj(["--json", "requests"]).expect_code(0).json();
        let mut all = all.as_array().cloned().unwrap_or_default();
        all.retain(|request| request["session"] == session);
        assert_eq!(all.len(), 1, "{all:#?}");
        all[0].clone()
    }

    /// Answers the one open request of a session, and gives it.
    #[track_caller]
    pub(crate) fn respond(&self, session: &str, words: &[&str]) -> Value {
        let request = self.request(session);
        let _ = self.world.adj([&["respond", session], words].concat()).expect_code(0);
        request
    }

    /// Nothing broke the protocol, and the store is what it should be.
    #[track_caller]
    pub(crate) fn assert_sound(&self) {
        assert_eq!(self.model.recorder().faults(), Vec::<String>::new());
        self.world.assert_sound();
    }

    /// The texts of the user that the model was sent with the newest request of this thread of words.
    pub(crate) fn newest_texts(&self) -> Vec<String> {
        let requests = self.model.recorder().requests();
        requests.last().map(|(request, _)| openai::user_texts(request)).unwrap_or_default()
    }

    /// How often the model was asked for a turn in which the newest words of the user hold `words`.
    pub(crate) fn asked_with(&self, words: &str) -> usize {
        let requests = self.model.recorder().requests();
        let newest = requests.iter().filter_map(|(request, _)| openai::user_texts(request).pop());
        newest.filter(|text| text.contains(words)).count()
    }

    /// What became of the turns of a session, oldest first.
    #[track_caller]
    pub(crate) fn turn_events(&self, session: &str) -> Vec<String> {
        event_types(&self.world, session, "turn.started,turn.completed")
    }
}
