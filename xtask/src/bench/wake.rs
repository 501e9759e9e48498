//! How late delayed messages are while the daemon is up: many, over many sessions, due at random.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::harness::Samples;
use super::http::Connection;
use super::report::{Goal, Report};
use super::world::World;

const SESSIONS: usize = 100;
const MESSAGES_EACH: usize = 10;
/// All are due within so long after the first of them was sent, in milliseconds; sending them takes less.
const SPAN_MS: u64 = 20_000;
const EARLIEST_MS: u64 = 5_000;

/// What `adj queue list -a --json` says of a message.
#[derive(Debug, Deserialize)]
struct Listed {
    state: String,
    receipt: Receipt,
}

#[derive(Debug, Deserialize)]
struct Receipt {
    late_ms: Option<u64>,
}

/// Queues them, lets them run, and reads their receipts.
pub(crate) fn run(adj: &Path) -> Result<Report> {
    let world = World::new(adj)?;
    let ids = world.sessions(SESSIONS)?;
    let mut connection = Connection::open(&world.daemon()?.socket)?;
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..MESSAGES_EACH {
        for id in &ids {
            let delay = EARLIEST_MS + next(&mut seed) % (SPAN_MS - EARLIEST_MS);
            let body = format!(r#"{{"text":":","delay_ms":{delay}}}"#);
            connection.post(&format!("/v1/sessions/{id}/wake"), &body)?;
        }
    }
    let words = ["wait", "--include-delayed"].into_iter().chain(ids.iter().map(String::as_str));
    world.act(&words.collect::<Vec<_>>())?;
    let mut late_ns = Vec::with_capacity(SESSIONS * MESSAGES_EACH);
    for id in &ids {
        late_ns.extend(lateness(&world, id)?);
    }
    let samples = Samples::of(late_ns);
    let p99 = samples.percentile_ms(99);
    let title = format!("wake: {} delayed messages over {SESSIONS} sessions", SESSIONS * MESSAGES_EACH);
    Ok(Report::new(title)
        .samples(vec![("due to handed over".to_owned(), samples)])
        .figure("p99", p99, super::report::Unit::Ms, Goal::Under(50.0))
        .note("receipts count whole milliseconds"))
}

fn lateness(world: &World, id: &str) -> Result<Vec<u64>> {
    let told = world.say(&["queue", "list", "-a", "--json", id])?;
    let listed: Vec<Listed> = serde_json::from_str(&told).with_context(|| format!("no list of messages: {told}"))?;
    if listed.len() != MESSAGES_EACH || listed.iter().any(|message| message.state != "done") {
        bail!("{id} has not run each of its {MESSAGES_EACH} messages: {told}");
    }
    let late = listed.iter().map(|message| message.receipt.late_ms.map(|ms| ms * 1_000_000));
    late.collect::<Option<Vec<u64>>>().with_context(|| format!("a receipt says nothing of lateness: {told}"))
}

/// A sequence that looks random and is the same in each run (xorshift).
fn next(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}
