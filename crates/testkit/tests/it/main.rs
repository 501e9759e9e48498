//! Faults, driven through the real `adj`: daemons that are killed at every point, full disks, damaged stores, strangers.

mod answers;
mod autostart;
mod canary;
mod claude_asking;
mod claude_commands;
mod claude_docker;
mod claude_headless;
mod claude_lent;
mod claude_terminal;
mod claude_texts;
mod codex;
mod compaction;
mod container;
mod coverage;
mod curl;
mod daemon_killed;
mod daemon_restarted;
mod damaged_store;
mod drop_in;
mod ending;
mod every_method;
mod export;
mod fan_out;
mod full_disk;
mod fuzz;
mod gateway;
mod http;
mod identity;
mod kill_points;
mod killed_sessions;
mod look;
mod mcp;
mod messages;
mod must_show;
mod other_host;
mod places;
mod projects;
mod queue;
mod read_only;
mod revive;
mod scenario;
mod sessions;
mod shell;
mod skew;
mod skill_agents;
mod skill_commands;
mod skills;
mod starting;
mod stranger;
mod surface;
mod telling;
mod truth;
mod waiting;
mod wake;
mod watching;

use std::collections::BTreeSet;
use std::time::Duration;

/// Time for anything that happens by itself on a machine that is busy with other tests.
const SOON: Duration = Duration::from_secs(60);

#[test]
fn no_test_file_is_forgotten() {
    let here = include_str!("main.rs");
    let declared: BTreeSet<String> =
        here.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';')).map(str::to_owned).collect();
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let found: BTreeSet<String> = files
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| name != "main")
        .collect();
    assert_eq!(declared, found);
}
