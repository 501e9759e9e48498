//! The real Claude Code in both of its faces, against a model server of this process: how long starting, sending and
//! waiting take, what idle sessions cost the daemon, and what a very long transcript costs a reader.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use adjutant_fakemodel::record::Answered;
use adjutant_fakemodel::{Options, Server};
use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::clock::{day_ns, now_ns};
use super::harness::Samples;
use super::idle::pass;
use super::proc;
use super::report::{Goal, Report, Unit};
use super::stream::time_ns;
use super::world::World;
use crate::test::pinned_agent;

/// The variable that names the pinned Claude Code, as for the tests.
const CLAUDE: &str = "ADJ_TEST_CLAUDE";
/// A face's name, and the words that ask for it.
const FACES: [(&str, &[&str]); 2] = [("terminal", &[]), ("headless", &["--headless"])];
const CREATES: usize = 8;
const TURNS: usize = 20;
const IDLE_EACH: usize = 5;
const READS: usize = 20;
const TRANSCRIPT_BYTES: u64 = 500 * 1024 * 1024;
/// The text of one entry of the long transcript.
const ENTRY_BYTES: usize = 4096;
const SETTLE: Duration = Duration::from_secs(5);
const SPAN: Duration = Duration::from_secs(20);
const MIB: f64 = 1024.0 * 1024.0;

/// A world in which Claude Code is found and talks to nobody but us.
struct Stage {
    world: World,
    model: Server,
}

/// What `adj queue list -a --json` says of a message.
#[derive(Debug, Deserialize)]
struct Listed {
    id: String,
    receipt: Receipt,
}

#[derive(Debug, Deserialize)]
struct Receipt {
    accepted_at: Option<String>,
}

/// Measures one thing after the other; the sessions are ended in between, since each takes much memory.
pub(crate) fn run(adj: &Path) -> Result<Report> {
    let stage = Stage::new(adj)?;
    let mut samples = Vec::new();
    for (face, words) in FACES {
        samples.push((format!("create, {face}"), stage.creates(words)?));
        let id = stage.create(words)?;
        let (sent, accepted, waited) = stage.turns(&id)?;
        samples.push((format!("send, {face}"), sent));
        samples.push((format!("send to accepted, {face}"), accepted));
        samples.push((format!("end of reply to wait, {face}"), waited));
        if face == FACES[0].0 {
            samples.push(("last-message, 500 MB".to_owned(), stage.long_reads(&["last-message", &id])?));
            samples.push(("logs -n 1, 500 MB".to_owned(), stage.reads(&["logs", "-n", "1", &id])?));
        }
        stage.world.act(&["kill", &id])?;
    }
    let report = Report::new("claude: the real Claude Code, a model that answers at once").samples(samples);
    let reading = report.median_of("last-message, 500 MB").context("nothing was read")?;
    let report = report.figure("last-message, 500 MB, median", reading, Unit::Ms, Goal::Under(20.0));
    stage.idle(goals(report))
}

fn goals(report: Report) -> Report {
    FACES.iter().fold(report, |report, (face, _)| match report.median_of(&format!("end of reply to wait, {face}")) {
        Some(ms) => report.figure(format!("end of reply to wait, {face}, median"), ms, Unit::Ms, Goal::Under(150.0)),
        None => report,
    })
}

impl Stage {
    fn new(adj: &Path) -> Result<Self> {
        let missing = "the pinned Claude Code is not there; `cargo xtask test` installs it";
        let claude = pinned_agent(CLAUDE).context(missing)?;
        let model = Server::start(Options::default()).context("no model server")?;
        let mut world = World::new(adj)?;
        let (home, bin) = (world.path("h"), world.path("b"));
        fs::create_dir(&bin).context("cannot make a directory")?;
        std::os::unix::fs::symlink(claude, bin.join("claude")).context("cannot link claude")?;
        let trusted = serde_json::json!({ "hasTrustDialogAccepted": true });
        let seed = serde_json::json!({
            "hasCompletedOnboarding": true, "projects": { home.display().to_string(): trusted },
        });
        fs::write(home.join(".claude.json"), seed.to_string()).context("cannot write the seed")?;
        fs::create_dir(home.join(".claude")).context("cannot make a directory")?;
        fs::write(home.join(".claude/settings.json"), r#"{"skipDangerousModePermissionPrompt":true}"#)
            .context("cannot write the seed")?;
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
        for (name, value) in [("PATH", path), ("ANTHROPIC_BASE_URL", model.url()), ("CLAUDE_CODE_TMPDIR", text(&home))]
        {
            world.set_variable(name, &value);
        }
        for name in
            ["IS_SANDBOX", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "DISABLE_TELEMETRY", "DISABLE_AUTOUPDATER"]
        {
            world.set_variable(name, "1");
        }
        world.set_variable("ANTHROPIC_AUTH_TOKEN", "fake");
        Ok(Self { world, model })
    }

    fn create(&self, face: &[&str]) -> Result<String> {
        let words: Vec<&str> = ["create", "-q", "--cli", "claude"].iter().chain(face).copied().collect();
        self.world.say(&words)
    }

    /// From the start of `adj create` to its end: the session is ready then.
    fn creates(&self, face: &[&str]) -> Result<Samples> {
        let mut ns = Vec::with_capacity(CREATES);
        for _ in 0..CREATES {
            let began = now_ns();
            let id = self.create(face)?;
            ns.push(now_ns() - began);
            self.world.act(&["kill", &id])?;
        }
        Ok(Samples::of(ns))
    }

    /// Whole turns: how long `adj send` takes, when the agent has taken the message, and how late `adj wait` is.
    fn turns(&self, id: &str) -> Result<(Samples, Samples, Samples)> {
        let (mut sent, mut begun, mut waited) = (Vec::new(), Vec::new(), Vec::new());
        for turn in 0..TURNS {
            let (at, began) = (day_ns(), now_ns());
            let message = self.world.say(&["send", "-q", id, "--message", &format!("[[say {turn}]]")])?;
            sent.push(now_ns() - began);
            self.world.act(&["wait", id, "--for", &message])?;
            waited.push(wall_ms().saturating_sub(self.last_byte_ms()?) * 1_000_000);
            begun.push((message, at));
        }
        Ok((Samples::of(sent), self.accepted(id, &begun)?, Samples::of(waited)))
    }

    /// When the last byte of the newest reply was handed to the system.
    fn last_byte_ms(&self) -> Result<u64> {
        match self.model.recorder().requests().last() {
            Some((_, Answered::Whole { at_ms, .. })) => Ok(*at_ms),
            other => bail!("the newest request was not answered as a whole: {other:?}"),
        }
    }

    fn accepted(&self, id: &str, begun: &[(String, u64)]) -> Result<Samples> {
        let told = self.world.say(&["queue", "list", "-a", "--json", id])?;
        let listed: Vec<Listed> =
            serde_json::from_str(&told).with_context(|| format!("no list of messages: {told}"))?;
        let of = |(message, at): &(String, u64)| {
            let accepted = listed.iter().find(|one| one.id == *message)?.receipt.accepted_at.as_deref()?;
            Some(time_ns(accepted.as_bytes())?.saturating_sub(*at))
        };
        let ns: Option<Vec<u64>> = begun.iter().map(of).collect();
        ns.map(Samples::of).with_context(|| format!("a receipt says nothing of acceptance: {told}"))
    }

    /// Puts a very long past in front of what the transcript of a session says, and reads.
    fn long_reads(&self, words: &[&str]) -> Result<Samples> {
        // The last entries are written a moment after the turn, and must not go to the file that is replaced.
        pass(SETTLE);
        lengthen(&self.transcript()?, TRANSCRIPT_BYTES)?;
        self.reads(words)
    }

    fn reads(&self, words: &[&str]) -> Result<Samples> {
        let expected = format!("{}", TURNS - 1);
        let read = || self.world.say(words);
        let said = read()?;
        if !said.contains(&expected) {
            bail!(
                "`{}` does not show the last answer: {}",
                words.join(" "),
                said.chars().take(300).collect::<String>()
            );
        }
        let mut ns = Vec::with_capacity(READS);
        for _ in 0..READS {
            let began = now_ns();
            read()?;
            ns.push(now_ns() - began);
        }
        Ok(Samples::of(ns))
    }

    /// The longest transcript of this world is that of the session with many turns.
    fn transcript(&self) -> Result<PathBuf> {
        let projects = fs::read_dir(self.world.path("h/.claude/projects")).context("no transcripts")?;
        let files = projects.flatten().filter_map(|project| fs::read_dir(project.path()).ok()).flatten().flatten();
        let transcripts = files.map(|file| file.path()).filter(|path| path.extension().is_some_and(|is| is == "jsonl"));
        let longest = transcripts.max_by_key(|path| fs::metadata(path).map_or(0, |meta| meta.len()));
        longest.context("no transcript")
    }

    /// Sessions of both faces that do nothing.
    fn idle(&self, report: Report) -> Result<Report> {
        for (_, words) in FACES {
            for _ in 0..IDLE_EACH {
                self.create(words)?;
            }
        }
        let daemon = self.world.daemon()?.pid;
        pass(SETTLE);
        // Ticks are coarse, but some systems count nothing finer.
        let before = proc::cpu_ticks(daemon)?;
        pass(SPAN);
        let spent = proc::cpu_ticks(daemon)?.saturating_sub(before);
        let memory = proc::memory(daemon)?;
        let sessions = IDLE_EACH * FACES.len();
        Ok(report
            .figure(
                format!("daemon, {sessions} idle, ticks of processor time in {} s", SPAN.as_secs()),
                spent as f64,
                Unit::Count,
                Goal::Unset,
            )
            .figure(format!("daemon, {sessions} idle, RSS"), memory.rss as f64 / MIB, Unit::Mib, Goal::Unset)
            .figure(format!("daemon, {sessions} idle, PSS"), memory.pss as f64 / MIB, Unit::Mib, Goal::Unset))
    }
}

/// Rewrites a transcript with entries of a long past in front.
fn lengthen(path: &Path, bytes: u64) -> Result<()> {
    let own = fs::read(path).context("the transcript cannot be read")?;
    let long = path.with_extension("long");
    let mut out = BufWriter::new(fs::File::create(&long).context("the long transcript cannot be made")?);
    let said = "word ".repeat(ENTRY_BYTES / 5);
    let entry = |role: &str| {
        let message = serde_json::json!({"role": role, "content": [{"type": "text", "text": said}]});
        let at = "2026-01-01T00:00:00.000Z";
        format!("{}\n", serde_json::json!({"type": role, "timestamp": at, "message": message}))
    };
    let pair = entry("user") + &entry("assistant");
    for _ in 0..bytes / pair.len() as u64 {
        out.write_all(pair.as_bytes()).context("the long transcript cannot be written")?;
    }
    out.write_all(&own).and_then(|()| out.flush()).context("the long transcript cannot be written")?;
    fs::rename(&long, path).context("the transcript cannot be replaced")
}

fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_past_stands_in_front() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("t.jsonl");
        fs::write(&file, "{\"own\":1}\n").unwrap();
        lengthen(&file, 100_000).unwrap();
        let length = fs::metadata(&file).unwrap().len();
        assert!(length > 90_000 && length < 110_000, "{length}");
        let mut end = [0; 10];
        std::os::unix::fs::FileExt::read_exact_at(&fs::File::open(&file).unwrap(), &mut end, length - 10).unwrap();
        assert_eq!(&end, b"{\"own\":1}\n");
    }
}
