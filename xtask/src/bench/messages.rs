//! Durable messages per second, through queue, turn and settlement.

use std::path::Path;

use anyhow::{Result, bail};

use super::clock::now_ns;
use super::http::Connection;
use super::report::{Goal, Report, Unit};
use super::world::World;

const SESSIONS: usize = 20;
const MESSAGES_EACH: usize = 100;
/// The cheapest thing that a shell can be told.
const BODY: &str = r#"{"text":":"}"#;

/// Sends over one kept connection for each session, all at once, and waits for the last turn.
pub(crate) fn run(adj: &Path) -> Result<Report> {
    let world = World::new(adj)?;
    let ids = world.sessions(SESSIONS)?;
    let socket = world.daemon()?.socket;
    let started = now_ns();
    send_all(&socket, &ids)?;
    let accepted = now_ns();
    let wait: Vec<&str> = std::iter::once("wait").chain(ids.iter().map(String::as_str)).collect();
    world.act(&wait)?;
    let settled = now_ns();
    let count = SESSIONS * MESSAGES_EACH;
    Ok(Report::new(format!("messages: {count} over {SESSIONS} sessions"))
        .figure("accepted durably", per_second(count, accepted - started), Unit::PerSecond, Goal::Unset)
        .figure("queued, run and settled", per_second(count, settled - started), Unit::PerSecond, Goal::Unset))
}

fn send_all(socket: &Path, ids: &[String]) -> Result<()> {
    let sent: Vec<Result<()>> = std::thread::scope(|scope| {
        let threads: Vec<_> = ids.iter().map(|id| scope.spawn(move || send(socket, id))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| bail!("a thread panicked"))).collect()
    });
    sent.into_iter().collect()
}

fn send(socket: &Path, id: &str) -> Result<()> {
    let mut connection = Connection::open(socket)?;
    let path = format!("/v1/sessions/{id}/messages");
    for _ in 0..MESSAGES_EACH {
        connection.post(&path, BODY)?;
    }
    Ok(())
}

fn per_second(count: usize, ns: u64) -> f64 {
    count as f64 * 1e9 / ns.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        assert!((per_second(2_000, 500_000_000) - 4_000.0).abs() < 1e-6);
    }
}
