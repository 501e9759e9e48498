//! A thousand who watch one session: how late they hear, what each of them costs, and what it costs when nothing happens.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};

use super::clock::now_ns;
use super::harness::Samples;
use super::http::Connection;
use super::proc;
use super::report::{Goal, Report, Unit};
use super::stream::{Seen, Streams};
use super::world::World;

const WATCHERS: usize = 1_000;
/// Threads that read for them.
const READERS: usize = 2;
/// A message of a shell that does nothing makes this many events.
const EVENTS_PER_MESSAGE: u64 = 6;
const EVENTS_PER_SECOND: u64 = 1_000;
const MESSAGES: u64 = 1_000;
const BODY: &str = r#"{"text":":"}"#;
/// Nothing comes for so long: all has come. Streams show every 15 seconds that they live, so this is well below.
const QUIET_MS: i64 = 2_000;
const IDLE: Duration = Duration::from_secs(10);
const KIB: f64 = 1024.0;

/// Watches, then lets a session work, then waits.
pub(crate) fn run(adj: &Path) -> Result<Report> {
    let world = World::new(adj)?;
    let id = world.session()?;
    let daemon = world.daemon()?;
    let before = proc::memory(daemon.pid)?;
    let mut streams = open(&daemon.socket, &format!("/v1/events?session={id}&follow=true"))?;
    let open = proc::memory(daemon.pid)?;
    let idle = idle_ns(daemon.pid)?;
    let cpu = proc::cpu_ns(daemon.pid)?;
    let (seen, sent_ns) = watched(&mut streams, &daemon.socket, &id)?;
    let cpu = proc::cpu_ns(daemon.pid)?.saturating_sub(cpu);
    let arrived: usize = streams.iter().map(|one| one.arrived_at(seen.cursor)).sum();
    if seen.ended > 0 {
        bail!("{} streams have ended", seen.ended);
    }
    drop(streams);
    let waiting = open_waits(&world, &id, &daemon.socket)?;
    let waits = idle_ns(daemon.pid)?;
    drop(waiting);
    let each = |memory: u64| float(memory) / float(WATCHERS as u64) / KIB;
    let log = float(MESSAGES * EVENTS_PER_MESSAGE) * 1e9 / float(sent_ns);
    Ok(Report::new(format!("watchers: {WATCHERS} on one session"))
        .samples(vec![("event to watcher".to_owned(), Samples::of(seen.delays_ns))])
        .figure("events in the log", log, Unit::PerSecond, Goal::Unset)
        .figure("events for each of the sampled watchers", float(seen.events / seen.sampled), Unit::Count, all())
        .figure("others that came to the last event", float(arrived as u64), Unit::Count, others(seen.sampled))
        .figure("daemon's memory for each, KiB", each(open.rss.saturating_sub(before.rss)), Unit::Count, Goal::Unset)
        .figure("daemon's processor time for it", float(cpu) / 1e6, Unit::Ms, Goal::Unset)
        .figure("the same in 10 s in which nothing happens", float(idle) / 1e6, Unit::Ms, Goal::Unset)
        .figure("the same with as many idle `wait`s instead", float(waits) / 1e6, Unit::Ms, Goal::Unset))
}

fn all() -> Goal {
    Goal::AtLeast(float(MESSAGES * EVENTS_PER_MESSAGE))
}

fn others(sampled: u64) -> Goal {
    Goal::AtLeast(float(WATCHERS as u64 - sampled))
}

fn open(socket: &Path, path: &str) -> Result<Vec<Streams>> {
    let mut streams = Vec::new();
    for _ in 0..READERS {
        let mut opened = Streams::open(socket, path, WATCHERS / READERS)?;
        // The first word of each says that it follows.
        opened.read_until_quiet(QUIET_MS)?;
        streams.push(opened);
    }
    Ok(streams)
}

/// Waits for a turn that never comes.
fn open_waits(world: &World, id: &str, socket: &Path) -> Result<Vec<Streams>> {
    world.act(&["wait", id])?;
    open(socket, &format!("/v1/wait?session={id}&next_turn=true"))
}

/// Lets the session work at a pace while all watch; returns what they saw, and how long the work took.
fn watched(streams: &mut [Streams], socket: &Path, id: &str) -> Result<(Seen, u64)> {
    let (socket, path) = (socket.to_owned(), format!("/v1/sessions/{id}/messages"));
    std::thread::scope(|scope| {
        let readers: Vec<_> = streams.iter_mut().map(|one| scope.spawn(|| one.read_until_quiet(QUIET_MS))).collect();
        let sent = scope.spawn(move || send(&socket, &path)).join().unwrap_or_else(|_| bail!("a thread panicked"))?;
        for reader in readers {
            reader.join().unwrap_or_else(|_| bail!("a thread panicked"))?;
        }
        anyhow::Ok(sent)
    })
    .map(|sent| (streams.iter().fold(Seen::default(), |sum, one| joined(sum, &one.seen)), sent))
}

fn joined(mut sum: Seen, seen: &Seen) -> Seen {
    sum.events += seen.events;
    sum.sampled += seen.sampled;
    sum.cursor = sum.cursor.max(seen.cursor);
    sum.ended += seen.ended;
    sum.delays_ns.extend(&seen.delays_ns);
    sum
}

fn send(socket: &Path, path: &str) -> Result<u64> {
    let mut connection = Connection::open(socket)?;
    let began = now_ns();
    let apart_ns = 1_000_000_000 * EVENTS_PER_MESSAGE / EVENTS_PER_SECOND;
    for number in 0..MESSAGES {
        pass(Duration::from_nanos((began + number * apart_ns).saturating_sub(now_ns())));
        connection.post(path, BODY)?;
    }
    Ok(now_ns() - began)
}

fn idle_ns(pid: u32) -> Result<u64> {
    let before = proc::cpu_ns(pid)?;
    pass(IDLE);
    Ok(proc::cpu_ns(pid)?.saturating_sub(before))
}

#[expect(clippy::disallowed_methods, reason = "a pace is kept, and a span in which nothing happens is measured")]
fn pass(span: Duration) {
    std::thread::sleep(span);
}

fn float(number: u64) -> f64 {
    number as f64
}
