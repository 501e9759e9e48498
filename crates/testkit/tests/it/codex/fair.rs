//! What Adjutant adds to the time of the app-server itself.

use std::path::Path;

use serde_json::Value;

use super::Codex;
use crate::look::messages;

/// Turns that are measured.
const TURNS: usize = 40;

/// The durations that the app-server has written down for its turns, in milliseconds.
fn own_times(dir: &Path, found: &mut Vec<u64>) {
    for entry in std::fs::read_dir(dir).expect("a directory of the world").flatten() {
        let path = entry.path();
        if path.is_dir() {
            own_times(&path, found);
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            let records = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let ends = records.filter(|record| record["payload"]["type"] == "task_complete");
            found.extend(ends.filter_map(|end| end["payload"]["duration_ms"].as_u64()));
        }
    }
}

/// Milliseconds of the day.
fn millis(time: &Value) -> u64 {
    let text = time.as_str().expect("a time").trim_end_matches('Z');
    let (_, clock) = text.split_once('T').expect("a time of the day");
    let parts: Vec<f64> = clock.split(':').map(|part| part.parse().expect("a number")).collect();
    ((parts[0] * 3600.0 + parts[1] * 60.0 + parts[2]) * 1000.0).round() as u64
}

fn median(mut of: Vec<u64>) -> u64 {
    of.sort_unstable();
    of[of.len() / 2]
}

#[test]
fn the_median_from_send_to_settled_is_under_three_times_the_servers_own() {
    let codex = Codex::new();
    let x = codex.native();
    for _ in 0..TURNS {
        let _ = codex.ask(&x, "[[say ok]]");
    }
    let took = |message: &Value| {
        let (queued, settled) = (millis(&message["receipt"]["queued_at"]), millis(&message["receipt"]["settled_at"]));
        (settled + 86_400_000 - queued) % 86_400_000
    };
    let ours = median(messages(&codex.world, &x).iter().map(took).collect());
    let mut own = Vec::new();
    own_times(&codex.world.root().join("codex/sessions"), &mut own);
    assert_eq!(own.len(), TURNS, "the app-server has written all of them down");
    let own = median(own);
    let percent = ours * 100 / own;
    println!("median: {ours} ms from send to settled, {own} ms of the app-server itself: {percent} %");
    assert!(ours < 3 * own, "{ours} ms from send to settled, {own} ms of the app-server itself");
}
