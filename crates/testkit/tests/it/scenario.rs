//! One random life of a few sessions, during which the daemon is killed at a named point, and what has to hold afterwards.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use adjutant_testkit::{Bell, Dice, Ended, Process, Running, World, await_fact};
use rustix::process::Signal;
use serde_json::Value;

use crate::SOON;

/// What a command may answer when its daemon dies under it: nobody can know, or nobody is there.
const DOUBT: [i32; 2] = [5, 255];

/// How often a command is repeated by its caller.
const REPEATS_MAX: usize = 4;

/// A message and what its sender was told.
struct Sent {
    tag: String,
    exit: i32,
    /// The sender was told that it is queued.
    accepted: bool,
    /// Its id, where the sender was told.
    id: Option<String>,
}

impl Sent {
    /// The script: it leaves its tag whenever it runs, and ends with its own code.
    fn script(tag: &str, session: usize, gated: bool, exit: i32) -> String {
        let gate =
            if gated { format!("echo {tag} > begun-{session}; read -r _ < gate-{session}; ") } else { String::new() };
        format!("echo {tag} >> ran-{session}; {gate}(exit {exit})")
    }
}

/// A session of the scenario.
struct Life {
    id: String,
    sent: Vec<Sent>,
    gate: Bell,
    begun: Bell,
    /// The gated message that may be running.
    gated: Option<String>,
    /// What runs in it cannot be said for certain, because a gated message was in doubt.
    uncertain: bool,
    /// Somebody has tried to stop its turn; what runs may end otherwise than by itself.
    interrupted: bool,
    /// Somebody has tried to end it.
    killed: bool,
}

/// A wait for one message that runs beside everything else.
struct Waiter {
    session: usize,
    exit: i32,
    running: Running,
}

/// What the seed decides, while it happens.
pub(crate) struct Scenario {
    world: World,
    dice: Dice,
    daemon: Process,
    lives: Vec<Life>,
    waiters: Vec<Waiter>,
    tags: usize,
    history: History,
}

/// What was done and answered, and how to do it again; shown when the test fails.
struct History {
    replay: String,
    told: String,
}

impl Drop for History {
    #[expect(clippy::print_stderr, reason = "the test's own output, shown when it fails")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}\nreplay with: {}", self.told, self.replay);
        }
    }
}

impl History {
    fn tell(&mut self, ended: &Ended) {
        let Ended { shown, code, stdout, stderr, .. } = ended;
        let _ = writeln!(self.told, "{shown} = {code}\n  {}\n  2| {}", stdout.trim(), stderr.trim());
    }
}

impl Scenario {
    /// Starts a daemon that dies when it passes `point` for the n-th time, and decides the rest with the seed.
    pub(crate) fn begin(point: &str, passes_max: usize, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let passes = 1 + dice.below(passes_max);
        let replay =
            format!("ADJ_SEED={seed} cargo test -p adjutant-testkit --test it kill_points::{point} -- --exact");
        let history = History { replay, told: format!("seed {seed}: {point}:{passes}\n") };
        let world = World::new();
        let daemon = world.start_daemon(&[("ADJ_TESTPOINT_KILL", &format!("{point}:{passes}"))]);
        Self { world, dice, daemon, lives: Vec::new(), waiters: Vec::new(), tags: 0, history }
    }

    /// Lives through it; says whether the daemon was killed on the way.
    pub(crate) fn run(mut self, kills: bool) -> bool {
        self.create_all();
        for _ in 0..3 + self.dice.below(5) {
            self.step();
        }
        if kills || self.dice.chance(15) {
            self.kill_one();
        }
        self.settle();
        let died = self.daemon.has_ended();
        self.history.told.push_str(if died {
            "the daemon was killed\n"
        } else {
            "the point was not passed that often\n"
        });
        self.assert_lives();
        self.world.assert_sound();
        died
    }

    fn step(&mut self) {
        let session = self.dice.below(self.lives.len());
        match self.dice.below(100) {
            0..30 => self.send(session, false),
            30..50 => self.send(session, true),
            50..60 => self.send_to_all(),
            60..75 => self.wait_beside(session),
            75..85 => self.look_at(session),
            85..91 => self.release(session),
            91..96 => self.interrupt(session),
            _ => self.kill_daemon(),
        }
    }

    /// Kills whatever daemon serves now, between two calls.
    fn kill_daemon(&mut self) {
        if let Some(daemon) = self.world.daemon_pid().and_then(Process::open) {
            daemon.signal(Signal::KILL);
            assert!(daemon.ends_within(SOON));
            self.history.told.push_str("kill -9 of the daemon\n");
        }
    }

    fn adj(&mut self, arguments: &[&str]) -> Ended {
        let ended = self.world.adj(arguments);
        self.history.tell(&ended);
        ended
    }

    fn new_tag(&mut self) -> String {
        self.tags += 1;
        format!("t{}", self.tags)
    }

    /// Creates up to four sessions at once. A create that leaves doubt is repeated with its key.
    fn create_all(&mut self) {
        let count = 1 + self.dice.below(4);
        let with_message: Vec<bool> = (0..count).map(|_| self.dice.chance(30)).collect();
        let firsts: Vec<Option<Sent>> = with_message.iter().map(|with| with.then(|| self.new_message())).collect();
        let commands: Vec<Vec<String>> =
            firsts.iter().enumerate().map(|(i, first)| create_words(i, first.as_ref())).collect();
        let started: Vec<Running> = commands.iter().map(|words| self.world.start(words)).collect();
        let ended: Vec<Ended> = started.into_iter().map(Running::end).collect();
        for (i, (first, ended)) in firsts.into_iter().zip(ended).enumerate() {
            let id = self.created(&commands[i], ended);
            self.lives.push(Life {
                id,
                sent: first.into_iter().map(|sent| Sent { accepted: true, ..sent }).collect(),
                gate: self.world.bell(&format!("gate-{i}")),
                begun: self.world.bell(&format!("begun-{i}")),
                gated: None,
                uncertain: false,
                interrupted: false,
                killed: false,
            });
        }
    }

    fn new_message(&mut self) -> Sent {
        Sent { tag: self.new_tag(), exit: i32::try_from(self.dice.below(4)).unwrap_or(0), accepted: false, id: None }
    }

    fn created(&mut self, words: &[String], mut ended: Ended) -> String {
        for _ in 0..REPEATS_MAX {
            self.history.tell(&ended);
            if ended.code == 0 {
                return ended.word().to_owned();
            }
            let honest = DOUBT.contains(&ended.code) || (ended.code == 1 && ended.stderr.contains("daemon"));
            assert!(honest, "a create that the daemon's death has cost says so: {ended:#?}");
            ended = self.world.adj(words);
        }
        panic!("a create does not succeed however often it is repeated: {ended:#?}");
    }

    /// Sends a message. What was not accepted may have run all the same, once.
    fn send(&mut self, session: usize, gated: bool) {
        let gated = gated && self.lives[session].gated.is_none();
        let message = self.new_message();
        let script = Sent::script(&message.tag, session, gated, message.exit);
        let id = self.lives[session].id.clone();
        let ended = self.adj(&["send", "-q", &id, &script]);
        self.sent(session, message, gated, &ended);
    }

    fn sent(&mut self, session: usize, message: Sent, gated: bool, ended: &Ended) {
        let accepted = ended.code == 0;
        assert!(accepted || DOUBT.contains(&ended.code), "a send is accepted, or in doubt: {ended:#?}");
        let life = &mut self.lives[session];
        match (gated, accepted) {
            (true, true) => life.gated = Some(message.tag.clone()),
            // It may stand before the gate or not; nobody can say what runs from here on.
            (true, false) => {
                life.gate.release(1);
                life.uncertain = true;
            }
            (false, _) => {}
        }
        life.sent.push(Sent { accepted, id: accepted.then(|| ended.word().to_owned()), ..message });
    }

    /// Sends a message to each session at the same time.
    fn send_to_all(&mut self) {
        let messages: Vec<Sent> = (0..self.lives.len()).map(|_| self.new_message()).collect();
        let scripts = messages.iter().enumerate().map(|(i, m)| Sent::script(&m.tag, i, false, m.exit));
        let commands = self.lives.iter().zip(scripts);
        let started: Vec<Running> =
            commands.map(|(life, script)| self.world.start(["send", "-q", &life.id, &script])).collect();
        for (session, (message, running)) in messages.into_iter().zip(started).enumerate() {
            let ended = running.end();
            self.history.tell(&ended);
            self.sent(session, message, false, &ended);
        }
    }

    /// Begins to wait for the last message that is known to be queued.
    fn wait_beside(&mut self, session: usize) {
        let life = &self.lives[session];
        let last = life.sent.iter().rev().find_map(|sent| Some((sent.id.clone()?, sent.exit)));
        if let Some((message, exit)) = last {
            let running = self.world.start(["wait", &life.id, "--for", &message, "-t", "none"]);
            self.waiters.push(Waiter { session, exit, running });
        }
    }

    /// Looks at a session whose command is known to run: whatever has happened to the daemon, it is not idle.
    fn look_at(&mut self, session: usize) {
        let id = self.lives[session].id.clone();
        // The look itself starts a daemon if there is none, and that one delivers what waits.
        let _ = self.adj(&["status", &id]);
        let life = &mut self.lives[session];
        let Some(tag) = life.gated.clone().filter(|_| !life.interrupted && !life.uncertain) else { return };
        assert_eq!(life.begun.line(SOON), tag, "the gated message begins");
        // The runner's word that the command has begun may still be on its way.
        await_fact(&format!("{id} is told to be at work"), SOON, || {
            let seen = self.world.adj(["status", &id]).expect_code(0);
            ["working", "unknown"].contains(&seen.word())
        });
        self.release(session);
    }

    fn release(&mut self, session: usize) {
        let life = &mut self.lives[session];
        if life.gated.take().is_some() {
            life.gate.release(1);
        }
    }

    fn interrupt(&mut self, session: usize) {
        let life = &mut self.lives[session];
        life.interrupted = true;
        let id = life.id.clone();
        let ended = self.adj(&["interrupt", &id]);
        assert!(ended.code == 0 || DOUBT.contains(&ended.code), "an interrupt is confirmed, or in doubt: {ended:#?}");
    }

    fn kill_one(&mut self) {
        let session = self.dice.below(self.lives.len());
        let life = &mut self.lives[session];
        life.killed = true;
        let id = life.id.clone();
        let mut words = vec!["kill", id.as_str()];
        if self.dice.chance(50) {
            words.push("--force");
        }
        for _ in 0..REPEATS_MAX {
            let ended = self.adj(&words);
            if ended.code == 0 {
                return;
            }
            assert!(DOUBT.contains(&ended.code), "a kill is proven, or in doubt: {ended:#?}");
        }
        panic!("a kill is not proven however often it is repeated");
    }

    /// Lets everything go on, sends each session one more message, and waits for all.
    fn settle(&mut self) {
        for session in 0..self.lives.len() {
            // One for each message that may read the gate, and more than enough.
            self.lives[session].gate.release(10);
            if !self.lives[session].killed {
                self.use_once_more(session);
            }
        }
        for waiter in std::mem::take(&mut self.waiters) {
            let life = &self.lives[waiter.session];
            let stopped: &[i32] = if life.interrupted || life.killed { &[130, 1, 4] } else { &[] };
            let ended = waiter.running.end();
            self.history.tell(&ended);
            let right = ended.code == waiter.exit || stopped.contains(&ended.code);
            assert!(right, "a wait that began before returns the message's own code {}: {ended:#?}", waiter.exit);
        }
    }

    fn use_once_more(&mut self, session: usize) {
        let tag = self.new_tag();
        let script = format!("echo {tag} >> ran-{session}; echo usable {tag}");
        let id = self.lives[session].id.clone();
        for _ in 0..REPEATS_MAX {
            let sent = self.adj(&["send", "-q", &id, &script]);
            // The point may be passed only now; then the queue says whether the message is there.
            let doubt = DOUBT.contains(&sent.code);
            assert!(sent.code == 0 || doubt, "a send is accepted, or in doubt: {sent:#?}");
            let message = if doubt { self.message_with(&id, &script) } else { Some(sent.word().to_owned()) };
            let Some(message) = message else { continue };
            let answer = self.adj(&["wait", &id, "--for", &message, "--print", "-t", "60"]).expect_code(0);
            assert_eq!(answer.stdout, format!("usable {tag}\n"), "{answer:#?}");
            self.lives[session].sent.push(Sent { tag, exit: 0, accepted: true, id: Some(message) });
            return;
        }
        panic!("{id} takes no message however often it is sent");
    }

    /// The message of a session that has this text.
    fn message_with(&mut self, id: &str, text: &str) -> Option<String> {
        let queue = self.adj(&["--json", "queue", "list", "-a", id]).expect_code(0).json();
        let found = queue.as_array()?.iter().find(|message| message["text"] == text)?;
        found["id"].as_str().map(str::to_owned)
    }

    fn assert_lives(&mut self) {
        let listed = self.adj(&["--json", "list", "-a"]).expect_code(0).json();
        let mut ids: Vec<&str> = listed.as_array().into_iter().flatten().filter_map(|s| s["id"].as_str()).collect();
        let mut expected: Vec<&str> = self.lives.iter().map(|life| life.id.as_str()).collect();
        ids.sort_unstable();
        expected.sort_unstable();
        assert_eq!(ids, expected, "the sessions are those that were created: {listed:#}");
        for session in 0..self.lives.len() {
            self.assert_life(session);
        }
    }

    fn assert_life(&mut self, session: usize) {
        let id = self.lives[session].id.clone();
        let expected = if self.lives[session].killed { "exited" } else { "idle" };
        let status = self.adj(&["status", &id]).expect_code(0);
        assert_eq!(status.word(), expected, "nothing runs in {id} any more: {status:#?}");
        let queue = self.adj(&["--json", "queue", "list", "-a", &id]).expect_code(0).json();
        let states: BTreeMap<&str, &Value> =
            queue.as_array().into_iter().flatten().filter_map(|m| Some((m["id"].as_str()?, m))).collect();
        let ran = self.world.lines_of(&format!("ran-{session}"));
        let life = &self.lives[session];
        for sent in &life.sent {
            let times = ran.iter().filter(|line| **line == sent.tag).count();
            let certain = sent.accepted && !life.killed && !life.interrupted;
            assert!(times <= 1, "{} ran {times} times: {ran:?}", sent.tag);
            assert!(times == 1 || !certain, "{} was accepted and never ran: {ran:?}\n{queue:#}", sent.tag);
            if let Some(message) = sent.id.as_deref().and_then(|id| states.get(id)) {
                assert_receipt(message, times);
            }
        }
        let order: Vec<&String> = life.sent.iter().map(|sent| &sent.tag).filter(|tag| ran.contains(tag)).collect();
        assert_eq!(ran.iter().collect::<Vec<_>>(), order, "messages of {id} ran in the order in which they were sent");
    }
}

/// What the receipt says is what the file shows.
fn assert_receipt(message: &Value, times: usize) {
    let state = message["state"].as_str().unwrap_or_default();
    let outcome = message["receipt"]["outcome"].as_str();
    let settled = ["done", "failed", "cancelled"].contains(&state) && !message["receipt"]["settled_at"].is_null();
    assert!(settled, "an accepted message comes to a known end: {message:#}");
    match (state, outcome) {
        ("done", _) | ("failed", Some("failed" | "completed")) => assert_eq!(times, 1, "it ran: {message:#}"),
        ("cancelled", _) => assert_eq!(times, 0, "it did not run: {message:#}"),
        // Stopped in the middle, or before its first command.
        _ => {}
    }
}

fn create_words(session: usize, first: Option<&Sent>) -> Vec<String> {
    let key = format!("session-{session}");
    let words = ["create", "-q", "--cli", "shell", "-t", "30", "--key", &key].map(str::to_owned);
    words.into_iter().chain(first.map(|sent| Sent::script(&sent.tag, session, false, sent.exit))).collect()
}
