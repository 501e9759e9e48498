//! What a message or `--env` holds is nobody else's business: it stands in no argument, no other environment, no log and
//! no error.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use adjutant_testkit::{Running, World};

use crate::SOON;

/// A word that nobody else on this machine uses, the same test of another checkout included.
fn canary(of: &str) -> String {
    format!("canary-of-the-{of}-{:x}", std::process::id() ^ 0x7f3a_91c2)
}

/// Every process of the machine that shows `canary`, with the place where it does.
fn shown(canary: &str) -> BTreeMap<(u32, &'static str), String> {
    let entries = std::fs::read_dir("/proc").expect("the kernel lists processes").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mut found = BTreeMap::new();
    for pid in pids.filter(|pid| *pid != std::process::id()) {
        let read = |name: &str| std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        for place in ["cmdline", "environ"] {
            if holds(&read(place), canary) {
                found.insert((pid, place), String::from_utf8_lossy(&read("cmdline")).replace('\0', " "));
            }
        }
    }
    found
}

fn holds(bytes: &[u8], canary: &str) -> bool {
    bytes.windows(canary.len()).any(|window| window == canary.as_bytes())
}

/// The files below a directory that hold `canary`, with their modes.
fn files_holding(directory: &Path, canary: &str) -> Vec<(String, u32)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).expect("a directory can be read").flatten() {
        let (path, Ok(kind)) = (entry.path(), entry.metadata()) else { continue };
        if kind.is_dir() {
            found.extend(files_holding(&path, canary));
        } else if kind.is_file() && holds(&std::fs::read(&path).unwrap_or_default(), canary) {
            found.push((entry.file_name().to_string_lossy().into_owned(), kind.mode() & 0o7777));
        }
    }
    found
}

#[test]
fn no_process_log_or_error_shows_what_a_message_says() {
    let (world, canary) = (World::new(), canary("message"));
    let session = world.shell();
    let gate = world.bell("gate");
    let mut begun = world.bell("begun");
    let script = format!(": {canary}; echo x > begun; read -r _ < gate; cat < gate; : done\n");
    let large = script.clone() + &format!("# {canary}\n").repeat(100_000);
    let sending = Running::start_with_input(world.adj_command(["send", "-q", &session, "-f", "-"]), large.as_bytes());
    // All of the way from the sender to the shell.
    while sending.runs() {
        assert_eq!(shown(&canary), BTreeMap::new(), "while it is sent");
    }
    let message = sending.end().expect_code(0).word().to_owned();
    begun.line(SOON);
    assert_eq!(shown(&canary), BTreeMap::new(), "while it runs");
    gate.release(1);
    let _ = world.adj(["interrupt", &session]).expect_code(0);
    let _ = world.adj(["wait", &session, "--for", &message]);
    let inspected = world.adj(["inspect", &session]).expect_code(0);
    assert!(!inspected.stdout.contains(&canary), "{inspected:#?}");

    // A delivery that fails says so without the text (A13).
    let _ = world.adj(["kill", &session]).expect_code(0);
    let failed = world.adj_with_input(["--json", "send", &session, "-f", "-"], script.as_bytes());
    let failed = failed.expect_error(4, "session_exited");
    assert!(!failed.stderr.contains(&canary) && failed.stderr.len() < 1_000, "{failed:#?}");
    let huge = vec![b'x'; 9 * 1024 * 1024];
    let refused =
        world.adj_with_input(["--json", "send", &session, "-f", "-"], &huge).expect_error(2, "message_too_large");
    assert!(refused.stderr.len() < 1_000, "{}", refused.stderr.len());

    let _ = world.adj(["daemon", "stop"]).expect_code(0);
    for (file, mode) in files_holding(&world.state(), &canary) {
        assert!(file.starts_with("store.db") && mode == 0o600, "{file} {mode:o} holds the message");
    }
}

#[test]
fn a_variable_of_a_session_is_in_no_other_process_and_in_no_file() {
    let (world, secret) = (World::new(), canary("environment"));
    let first = world.adj(["create", "-q", "--cli", "shell", "--env", &format!("SECRET={secret}")]).expect_code(0);
    let first = first.word().to_owned();
    let other = world.shell();
    let mut begun = world.bell("begun");
    let gate = world.bell("gate");
    let mut its_own = None;
    for session in [&first, &other] {
        world.send(session, "echo $BASHPID > begun; read -r _ < gate; echo $SECRET; echo $ADJ_SESSION_TOKEN > token");
        let shell: u32 = begun.line(SOON).parse().expect("a pid");
        let its_own = *its_own.get_or_insert(shell);
        for ((pid, place), words) in shown(&secret) {
            assert!((pid, place) == (its_own, "environ"), "{place} of {pid} ({words}) shows it");
        }
        gate.release(1);
        let answer = world.adj(["wait", "--print", session]).expect_code(0);
        let expected = if session == &first { secret.as_str() } else { "" };
        assert_eq!(answer.stdout.trim_end(), expected, "{answer:#?}");
    }
    // The token of a session is in that session alone; what is kept of it is its hash.
    let token = world.lines_of("token").concat();
    assert_eq!(token.len(), 64, "{token}");
    assert!(shown(&token).values().all(|words| words.starts_with("bash")), "{:?}", shown(&token));
    assert_eq!(files_holding(&world.state(), &token), [], "no token is stored");

    let inspected = world.adj(["inspect", &first]).expect_code(0);
    assert!(
        inspected.stdout.contains("SECRET") && !inspected.stdout.contains(&secret),
        "names, not values: {inspected:#?}"
    );
    // The answer that a command prints is kept as such; nothing else may hold the value.
    let kept = files_holding(&world.state(), &secret);
    let printed = |name: &str| name.starts_with("store.db") || name == "journal" || name == "output.log";
    assert!(kept.iter().all(|(name, mode)| printed(name) && *mode == 0o600), "{kept:?}");
}
