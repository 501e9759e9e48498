//! Measures the store on the disk of a directory: `cargo run --release -p adjutant-store --example measure -- <dir>`.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use adjutant_core::agent::{AgentName, AnswerSize, Evidence, TurnEnd, TurnOrigin};
use adjutant_core::event::{Event, Logged};
use adjutant_core::host::{Host, HostConfig, Projected};
use adjutant_core::id::{Attempt, MessageId, Seq, SessionId};
use adjutant_core::input::Text;
use adjutant_core::message::{Message, MessageEnd, MessageKind, MessageState, Sender};
use adjutant_core::outcome::{ExitStatus, Outcome};
use adjutant_core::session::Profile;
use adjutant_core::time::Timestamp;
use adjutant_store::{Batch, Reader, Scope, Writer, open};

const SESSIONS: u16 = 500;
const COMMITS: u64 = 3_000;
const EVENTS: u64 = 1_000_000;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let dir = std::env::args_os().nth(1).ok_or("which directory?")?;
    let dir = Path::new(&dir).join("adjutant-store-measure");
    let (mut writer, _) = open(&dir, "measure")?;
    let mut host = Host::new(HostConfig::new(BTreeMap::new()));
    create_sessions(&mut host, &mut writer)?;
    say(&format!("fdatasync of 4 KiB appended: {:.0}/s", syncs_per_second(&dir)?))?;
    say(&format!("commits of 1 event, 1 message, 1 session: {:.0}/s", small_commits(&mut host, &mut writer)?))?;
    let messages = messages_on_their_way(&mut host, &mut writer, 1)?;
    say(&format!("messages through queue, turn and settlement, 3 commits each: {messages:.0}/s"))?;
    let messages = messages_on_their_way(&mut host, &mut writer, 50)?;
    say(&format!("the same, 50 at once in 3 commits: {messages:.0}/s"))?;
    fill(&mut host, &mut writer)?;
    read(&dir)?;
    drop(writer);
    let (took, opened) = timed(|| open(&dir, "measure"));
    opened?;
    say(&format!("open of that store: {took:?}"))?;
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

fn say(line: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

fn timed<T>(run: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let result = run();
    (start.elapsed(), result)
}

fn syncs_per_second(dir: &Path) -> Result<f64> {
    let path = dir.join("measure.sync");
    let mut file = std::fs::File::create(&path)?;
    let (took, done) = timed(|| {
        (0..1_000).try_for_each(|_| {
            file.write_all(&[1; 4_096])?;
            file.sync_data()
        })
    });
    done?;
    std::fs::remove_file(path)?;
    Ok(1_000.0 / took.as_secs_f64())
}

fn id(number: u16) -> SessionId {
    let mut bytes = *b"\x01\x98\xc2\x00\xaa\xbb\x7c\xdd\x8e\xff\x01\x02\x03\x04\x00\x00";
    bytes[14..].copy_from_slice(&number.to_be_bytes());
    SessionId::from_bytes(bytes)
}

#[derive(Default)]
struct Step {
    events: Vec<Logged>,
    texts: Vec<Text>,
    projected: Projected,
}

impl Step {
    fn log(&mut self, host: &mut Host, session: SessionId, event: Event) {
        let seq = Seq::new(host.counters().next_seq);
        let at = Timestamp::from_millis(1_795_166_042_118 + i64::try_from(seq.get()).unwrap_or(0));
        let logged = Logged { seq, session, at, cursor: Some(seq.get()), event };
        host.fold(&logged, &mut self.projected);
        self.events.push(logged);
    }

    fn commit(self, host: &Host, writer: &mut Writer) -> Result<()> {
        let Self { events, texts, projected } = self;
        let batch = Batch {
            events,
            texts,
            sessions: projected.sessions.iter().filter_map(|id| host.session(*id)).cloned().collect(),
            messages: projected.messages.into_values().collect(),
            turns: projected.turns.into_iter().map(|((session, _), turn)| (session, turn)).collect(),
            requests: projected.requests.into_values().collect(),
            purged: Vec::new(),
            counters: host.counters(),
        };
        Ok(writer.commit(&batch)?)
    }

    fn queue(&mut self, host: &mut Host, session: SessionId) -> MessageId {
        let message = Message {
            id: MessageId::new(host.counters().next_message),
            session,
            from: Sender::Human,
            kind: MessageKind::Next,
            bytes: 40,
            key: None,
            reply_to: None,
            expires: None,
            queued_at: Timestamp::from_millis(1_795_166_042_118),
            returned: 0,
            after: None,
            came: None,
            state: MessageState::Ready,
        };
        let id = message.id;
        self.texts.push(Text::Message { message: id, text: "cargo test -p adjutant-store -- --nocapture".into() });
        self.log(host, session, Event::MessageQueued { message });
        id
    }

    fn take(&mut self, host: &mut Host, session: SessionId, message: MessageId) {
        let Some(turn) = host.session(session).map(|session| session.next_turn()) else { return };
        let at = Timestamp::from_millis(1_795_166_042_118);
        let evidence = Evidence { source: "control pipe".to_owned(), detail: "start".to_owned(), at };
        self.log(host, session, Event::TurnStarted { turn, origin: TurnOrigin::Message(message) });
        self.log(host, session, Event::MessageAccepted { message, turn, evidence });
    }

    fn end(&mut self, host: &mut Host, session: SessionId, message: MessageId) {
        let Some(turn) = host.session(session).and_then(|session| session.turn()).map(|turn| turn.number) else {
            return;
        };
        let end = TurnEnd::command(ExitStatus::Code(0), AnswerSize { bytes: 3, cut_bytes: 0 });
        self.texts.push(Text::Answer { session, turn, text: "ok\n".into() });
        self.log(host, session, Event::TurnEnded { turn, end });
        let end = MessageEnd::Settled { turn, outcome: Outcome::Completed };
        self.log(host, session, Event::MessageEnded { message, end });
    }
}

fn create_sessions(host: &mut Host, writer: &mut Writer) -> Result<()> {
    let mut step = Step::default();
    for number in 0..SESSIONS {
        let profile = Profile {
            token_hash: format!("{number:064x}"),
            ..Profile::bare(AgentName::new("measured"), "/srv/app", "/usr/bin/bash")
        };
        let name = format!("session-{number}").parse()?;
        step.log(host, id(number), Event::SessionCreated { name, profile: Box::new(profile), parent: None });
        step.log(host, id(number), Event::SessionReady);
    }
    step.commit(host, writer)
}

fn small_commits(host: &mut Host, writer: &mut Writer) -> Result<f64> {
    let mut messages = Vec::new();
    let mut step = Step::default();
    for number in 0..SESSIONS {
        messages.push((id(number), step.queue(host, id(number))));
    }
    step.commit(host, writer)?;
    let (took, done) = timed(|| {
        (0..COMMITS).try_for_each(|number| {
            let (session, message) = messages[usize::try_from(number)? % messages.len()];
            let mut step = Step::default();
            step.log(host, session, Event::MessageHanded { message, attempt: Attempt::FIRST });
            step.commit(host, writer)
        })
    });
    done?;
    Ok(COMMITS as f64 / took.as_secs_f64())
}

fn messages_on_their_way(host: &mut Host, writer: &mut Writer, at_once: u16) -> Result<f64> {
    let rounds = 1_000 / u64::from(at_once).min(10);
    let (took, done) = timed(|| {
        (0..rounds).try_for_each(|round| -> Result<()> {
            let first = u16::try_from(round * u64::from(at_once) % u64::from(SESSIONS))?;
            let sessions = (0..at_once).map(|offset| id((first + offset) % SESSIONS)).collect();
            on_their_way(host, writer, sessions)
        })
    });
    done?;
    Ok((rounds * u64::from(at_once)) as f64 / took.as_secs_f64())
}

fn on_their_way(host: &mut Host, writer: &mut Writer, sessions: Vec<SessionId>) -> Result<()> {
    let mut step = Step::default();
    let messages: Vec<_> = sessions.into_iter().map(|session| (session, step.queue(host, session))).collect();
    for (session, message) in &messages {
        step.log(host, *session, Event::MessageHanded { message: *message, attempt: Attempt::FIRST });
    }
    step.commit(host, writer)?;
    let mut step = Step::default();
    messages.iter().for_each(|(session, message)| step.take(host, *session, *message));
    step.commit(host, writer)?;
    let mut step = Step::default();
    messages.iter().for_each(|(session, message)| step.end(host, *session, *message));
    step.commit(host, writer)
}

/// Whole messages in large commits, until the log is as long as it should be.
fn fill(host: &mut Host, writer: &mut Writer) -> Result<()> {
    let (before, mut number) = (host.counters().next_seq, 0_u16);
    let (took, done) = timed(|| {
        while host.counters().next_seq < EVENTS {
            let mut step = Step::default();
            for _ in 0..1_000 {
                number = (number + 1) % SESSIONS;
                let session = id(number);
                let message = step.queue(host, session);
                step.log(host, session, Event::MessageHanded { message, attempt: Attempt::FIRST });
                step.take(host, session, message);
                step.end(host, session, message);
            }
            step.commit(host, writer)?;
        }
        writer.checkpoint().map_err(Box::<dyn Error>::from)
    });
    done?;
    let events = (EVENTS - before) as f64;
    say(&format!("events in commits of 6,000: {:.0}/s", events / took.as_secs_f64()))
}

fn read(dir: &Path) -> Result<()> {
    let (took, reader) = timed(|| Reader::open(dir));
    let reader = reader?;
    say(&format!("open of a reader: {took:?}; {:?}", reader.counts()?))?;
    let every = Scope::default();
    let one = [id(7)];
    let all: Vec<SessionId> = (0..SESSIONS).map(id).collect();
    let scopes = [
        ("20 of all", every),
        ("20 of one session", Scope { sessions: Some(&one), types: &[] }),
        ("20 of 500 named sessions", Scope { sessions: Some(&all), types: &[] }),
        ("20 of a type", Scope { sessions: None, types: &["turn.*"] }),
        ("20 of a type that is not there", Scope { sessions: None, types: &["goal.*"] }),
    ];
    for (what, scope) in scopes {
        let (first, found) = timed(|| reader.events_tail(20, scope));
        found?;
        let (second, _) = timed(|| reader.events_tail(20, scope));
        say(&format!("tail, {what}: {first:?}, again {second:?}"))?;
    }
    let (took, page) = timed(|| reader.events_after(Seq::new(500_000), every, 1_000));
    say(&format!("a page of {}: {took:?}", page?.entries.len()))?;
    let (took, answers) = timed(|| reader.answers(id(7), 20));
    say(&format!("the last {} answers of a session: {took:?}", answers?.len()))?;
    let (took, verified) = timed(|| reader.verify_projections());
    say(&format!("verification: {took:?}, {} differences", verified?.different))?;
    let (took, flaws) = timed(|| reader.check());
    say(&format!("integrity check: {took:?}, {} flaws", flaws?.len()))?;
    let (took, copy) = timed(|| adjutant_store::backup(dir));
    say(&format!("copy of {} bytes: {took:?}", std::fs::metadata(copy?)?.len()))
}
