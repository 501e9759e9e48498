//! The daemon goes away and comes back: every message runs exactly once, and everything is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use adjutant_agents::{Adoption, DriverReport, DriverStart, Order};
use adjutant_core::agent::{AgentReport, Level, SessionEnd, StartFailure, TurnOrigin};
use adjutant_core::id::Attempt;
use adjutant_core::{ExitStatus, MessageId, Outcome};

use crate::world::{Session, World, assert_done, kill, profile};

const FIRST: Attempt = Attempt::FIRST;

fn seen(report: &AgentReport) -> bool {
    matches!(report, AgentReport::Seen { .. })
}

#[tokio::test]
async fn h411_a_session_goes_on_without_a_daemon() {
    let world = World::new();
    let mut session = world.launch().await;
    session.begin("until [ -e go ]; do read -t 0.01 <> <(:); done; echo went; exit 3").await;
    session.let_go().await;
    std::fs::write(world.work_dir().join("go"), "").unwrap();
    let mut session = world.adopt(session.cursor, &session, Vec::new());
    let done = session.end_of_turn().await;
    assert_eq!((done.text.as_str(), done.code()), ("went", 3));
    assert_eq!(session.exited().await, SessionEnd::Ended { exit: ExitStatus::Code(3) });
    world.assert_empty();
}

#[tokio::test]
async fn h411_the_level_is_told_when_everything_has_been_told() {
    let world = World::new();
    let mut session = world.launch().await;
    session.let_go().await;
    let mut session = world.adopt(session.cursor, &session, Vec::new());
    assert_eq!(session.next().await.report, AgentReport::Seen { level: Level { working: false } });
    session.begin("sleep 1000").await;
    session.let_go().await;
    let mut session = world.adopt(session.cursor, &session, Vec::new());
    assert_eq!(session.next().await.report, AgentReport::Seen { level: Level { working: true } });
    session.kill().await;
}

#[tokio::test]
async fn h411_from_the_beginning_everything_is_told_again() {
    let world = World::new();
    let mut session = world.launch().await;
    assert_done(&session.run("echo one").await, "one");
    let long = session.run("seq 10000").await;
    session.let_go().await;
    let mut again = world.adopt(0, &session, Vec::new());
    let told = again.until(seen).await;
    let names: Vec<String> = told.iter().map(|report| name_of(&report.report)).collect();
    let expected =
        ["Started", "Ready", "Taken", "TurnStarted", "TurnEnded", "Taken", "TurnStarted", "TurnEnded", "Seen"];
    assert_eq!(names, expected);
    assert_eq!(told[7].answer.as_deref(), Some(long.text.as_str()));
    assert_eq!(again.cursor, session.cursor);
    again.kill().await;
}

fn name_of(report: &AgentReport) -> String {
    let text = format!("{report:?}");
    text.split([' ', '{']).next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_session_that_ended_while_nobody_looked_is_told_from_its_journal() {
    let world = World::new();
    let mut session = world.launch().await;
    let runner = session.runner.unwrap();
    let message = session.deliver("until [ -e go ]; do read -t 0.01 <> <(:); done; echo went; exit 3").await;
    session.until(|report| *report == AgentReport::TurnStarted { origin: TurnOrigin::Message(message) }).await;
    session.let_go().await;
    let handle = adjutant_agents::process::ProcessHandle::open(&runner).unwrap().unwrap();
    std::fs::write(world.work_dir().join("go"), "").unwrap();
    handle.ended().await.unwrap();
    let mut session = world.adopt(session.cursor, &session, Vec::new());
    let done = session.end_of_turn().await;
    assert_eq!((done.text.as_str(), done.code()), ("went", 3));
    assert_eq!(session.exited().await, SessionEnd::Ended { exit: ExitStatus::Code(3) });
    world.assert_empty();
}

#[tokio::test]
async fn a_runner_that_died_while_nobody_looked_is_lost_and_its_rest_is_ended() {
    let world = World::new();
    let mut session = world.launch().await;
    session.begin("setsid sleep 1000 & trap '' HUP; sleep 1000").await;
    session.let_go().await;
    session.kill_runner();
    let mut session = world.adopt(session.cursor, &session, Vec::new());
    assert!(matches!(session.exited().await, SessionEnd::Lost { .. }));
    world.assert_empty();
}

#[tokio::test]
async fn a_message_on_its_way_when_the_daemon_died_is_told_either_way() {
    let world = World::new();
    let mut session = world.launch().await;
    session.let_go().await;
    // Never sent: the journal does not have it.
    let lost = (MessageId::new(7), FIRST);
    let mut session = world.adopt(session.cursor, &session, vec![lost]);
    let told = session.until(seen).await;
    assert!(
        matches!(told[0].report, AgentReport::NotTaken { message, attempt, .. } if (message, attempt) == lost),
        "{told:?}"
    );
    // Sent, run, and told to nobody.
    let cursor = session.cursor;
    let message = session.deliver("echo ran >> ran").await;
    session.end_of_turn().await;
    session.let_go().await;
    let mut session = world.adopt(cursor, &session, vec![(message, FIRST)]);
    let told = session.until(seen).await;
    let names: Vec<String> = told.iter().map(|report| name_of(&report.report)).collect();
    assert_eq!(names, ["Taken", "TurnStarted", "TurnEnded", "Seen"]);
    // Handed over once more all the same: it is told again, and not run again.
    session
        .order(Order::Deliver { message, attempt: FIRST.next(), text: Arc::from("echo ran >> ran"), as_command: false })
        .await;
    let told = session.until(|report| matches!(report, AgentReport::TurnEnded { .. })).await;
    assert!(matches!(told[0].report, AgentReport::Taken { message: taken, .. } if taken == message), "{told:?}");
    assert!(told.iter().all(|report| report.cursor.is_none()));
    assert_done(&session.run("cat ran").await, "ran");
    session.kill().await;
}

/// Drops drivers in the middle of everything, adopts from what was committed then, hands over again what must be, and
/// counts how often each message ran.
#[tokio::test]
async fn every_message_runs_exactly_once_wherever_the_daemon_dies() {
    let world = World::new();
    let session = world.launch().await;
    let mut daemon = Daemon { world: &world, committed: session.cursor, session, taken: BTreeMap::new(), ended: 0 };
    for number in 1..=60_u64 {
        // After so many further reports the daemon is killed, with the last of them not committed.
        daemon.message(MessageId::new(number), number % 5).await;
    }
    assert!(daemon.taken.values().all(|times| *times == 1), "{:?}", daemon.taken);
    assert_eq!(daemon.ended, 60);
    let mut session = daemon.session;
    let done = session.run_as(1000, "sort -n ran | uniq -c | awk '$1 != 1' | wc -l; wc -l < ran").await;
    assert_done(&done, "0\n60");
    session.kill().await;
    world.assert_empty();
}

struct Daemon<'a> {
    world: &'a World,
    session: Session,
    committed: u64,
    taken: BTreeMap<MessageId, u32>,
    ended: u32,
}

impl Daemon<'_> {
    async fn message(&mut self, message: MessageId, dies_after: u64) {
        let text: Arc<str> = Arc::from(format!("echo {message} >> ran; sleep 0.00{}", message.get() % 7));
        let mut attempt = FIRST;
        let (mut handed, mut reports, mut ended) = (false, 0, false);
        while !ended {
            if !handed {
                handed = true;
                self.session.order(Order::Deliver { message, attempt, text: text.clone(), as_command: false }).await;
            }
            if reports == dies_after {
                self.session.driving.abort();
                let handed = vec![(message, attempt)];
                self.session = self.world.adopt(self.committed, &self.session, handed);
            }
            let report = self.session.next().await;
            reports += 1;
            if reports == dies_after {
                continue;
            }
            ended = self.commit(&report, message);
            if matches!(report.report, AgentReport::NotTaken { .. }) {
                attempt = attempt.next();
                handed = false;
            }
        }
    }

    fn commit(&mut self, report: &DriverReport, message: MessageId) -> bool {
        self.committed = report.cursor.unwrap_or(self.committed);
        match &report.report {
            AgentReport::Taken { message: taken, .. } => {
                assert_eq!(*taken, message);
                *self.taken.entry(message).or_default() += 1;
                false
            }
            AgentReport::TurnEnded { end } => {
                assert_eq!(end.outcome, Outcome::Completed);
                self.ended += 1;
                true
            }
            _ => false,
        }
    }
}

#[tokio::test]
async fn h413_a_plan_without_a_runner_is_withdrawn_and_stays_so() {
    let world = World::new();
    let adoption = || Adoption {
        cursor: 0,
        runner: None,
        agent: None,
        handed: Vec::new(),
        profile: profile(),
        conversation: None,
        uncounted: false,
    };
    for _ in 0..2 {
        let mut session = world.start(DriverStart::Adopt(adoption()));
        let report = session.next().await.report;
        assert_eq!(report, AgentReport::StartFailed { why: StartFailure::Withdrawn });
    }
    // A runner that comes late finds that it must not start.
    let mut late = world.start(DriverStart::Launch(world.plan()));
    let AgentReport::StartFailed { why } = late.next().await.report else { panic!("started") };
    assert_eq!(why, StartFailure::Withdrawn);
    world.assert_empty();
}

#[tokio::test]
async fn h304_of_launch_and_withdrawal_exactly_one_wins() {
    for _ in 0..20 {
        let world = World::new();
        let mut launching = world.start(DriverStart::Launch(world.plan()));
        let adoption = Adoption {
            cursor: 0,
            runner: None,
            agent: None,
            handed: Vec::new(),
            profile: profile(),
            conversation: None,
            uncounted: false,
        };
        let mut adopting = world.start(DriverStart::Adopt(adoption));
        let first = adopting.next().await.report;
        match first {
            AgentReport::StartFailed { why } => {
                assert_eq!(why, StartFailure::Withdrawn);
                assert!(matches!(launching.next().await.report, AgentReport::StartFailed { .. }));
            }
            AgentReport::Started { runner, .. } => {
                let AgentReport::Started { runner: same, .. } = launching.next().await.report else { panic!("two") };
                assert_eq!(runner, same);
                adopting.kill().await;
            }
            // It found the journal before the runner listened, which is told; then it saw it.
            AgentReport::Unseen { .. } => {
                adopting.until(|report| matches!(report, AgentReport::Started { .. })).await;
                adopting.kill().await;
            }
            other => panic!("{other:?}"),
        }
        world.assert_empty();
    }
}

#[tokio::test]
async fn a_runtime_directory_that_went_away_is_made_anew() {
    let world = World::new();
    let mut session = world.launch().await;
    session.run("V=kept").await;
    session.let_go().await;
    std::fs::remove_dir_all(world.place().run_dir).unwrap();
    let mut session = world.adopt(session.cursor, &session, Vec::new());
    session.until(seen).await;
    assert_done(&session.run("echo $V").await, "kept");
    session.kill().await;
    world.assert_empty();
}

#[tokio::test]
async fn h407_a_socket_that_is_not_the_runners_gets_nothing() {
    let world = World::new();
    let mut session = world.launch().await;
    session.let_go().await;
    let socket = world.place().run_dir.join("r.sock");
    std::fs::remove_file(&socket).unwrap();
    let false_runner = tokio::net::UnixListener::bind(&socket).unwrap();
    let mut session = world.adopt(session.cursor, &session, Vec::new());
    let AgentReport::Unseen { .. } = session.next().await.report else { panic!("seen") };
    let (mut stream, _) = false_runner.accept().await.unwrap();
    let mut said = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut said).await.unwrap();
    assert_eq!(said, b"");
    kill(&session.agent.unwrap());
    session.order(Order::End { grace_ms: 0 }).await;
    session.exited().await;
    world.assert_empty();
}

#[tokio::test]
async fn a_journal_that_is_gone_with_its_runner_is_a_lost_session() {
    let world = World::new();
    let mut session = world.launch().await;
    session.run("setsid sleep 1000 &").await;
    session.let_go().await;
    session.kill_runner();
    std::fs::remove_dir_all(world.state_dir()).unwrap();
    let mut session = world.adopt(session.cursor, &session, vec![(MessageId::new(9), FIRST)]);
    assert!(matches!(session.next().await.report, AgentReport::Unclear { .. }));
    assert!(matches!(session.exited().await, SessionEnd::Lost { .. }));
    world.assert_empty();
}
