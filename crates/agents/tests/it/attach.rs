//! A person at the terminal, beside the messages.

use adjutant_agents::runner::frame::{Frame, FrameDecoder};
use adjutant_agents::runner::{View, open_terminal};
use adjutant_core::agent::{AgentReport, RequestEnd, SessionEnd, TurnOrigin};
use adjutant_core::{ExitStatus, Outcome};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::world::{DEADLINE, Session, World, assert_done};

/// Somebody who looks at the terminal.
struct Viewer {
    stream: UnixStream,
    decoder: FrameDecoder,
    shown: String,
    size: (u16, u16),
}

impl Viewer {
    async fn open(world: &World, session: &Session, read_only: bool) -> Self {
        let view = View { columns: 100, rows: 30, read_only };
        let stream = open_terminal(&world.place(), &session.runner.unwrap(), view).await.unwrap();
        let mut viewer = Self { stream, decoder: FrameDecoder::default(), shown: String::new(), size: (0, 0) };
        let Some(Frame::Opened { .. }) = viewer.next().await else { panic!("not opened") };
        viewer
    }

    async fn next(&mut self) -> Option<Frame> {
        let mut buffer = [0; 4096];
        loop {
            if let Some(frame) = self.decoder.next_frame().unwrap() {
                return Some(frame);
            }
            let read = timeout(DEADLINE, self.stream.read(&mut buffer)).await;
            let read = read.unwrap_or_else(|_| panic!("in time; shown: {:?}", self.shown)).unwrap();
            if read == 0 {
                return None;
            }
            self.decoder.push(&buffer[..read]);
        }
    }

    /// Waits until the screen has shown a text since the last time this was asked.
    async fn shows(&mut self, text: &str) {
        while !self.shown.contains(text) {
            match self.next().await {
                Some(Frame::Output(bytes)) => self.shown.push_str(&String::from_utf8_lossy(&bytes)),
                Some(Frame::Resized { columns, rows }) => self.size = (columns, rows),
                other => panic!("{other:?} instead of {text:?} after {:?}", self.shown),
            }
        }
        self.shown = self.shown.split_off(self.shown.find(text).unwrap() + text.len());
    }

    async fn types(&mut self, text: &str) {
        self.stream.write_all(&Frame::Input(text.as_bytes().to_vec()).encode()).await.unwrap();
    }
}

#[tokio::test]
async fn a_person_gets_a_prompt_and_what_they_run_is_a_turn_of_theirs() {
    let world = World::new();
    let mut session = world.launch().await;
    session.run("echo earlier; PS1='prompt> '; V=kept").await;
    let mut viewer = Viewer::open(&world, &session, false).await;
    viewer.shows("earlier").await;
    viewer.shows("prompt> ").await;
    assert_eq!(viewer.size, (100, 30));
    viewer.types("echo \"$V here\"; (exit 3)\r").await;
    viewer.shows("kept here").await;
    viewer.shows("prompt> ").await;
    let seen = session.until(|report| matches!(report, AgentReport::TurnStarted { .. })).await;
    assert_eq!(seen[0].report, AgentReport::TurnStarted { origin: TurnOrigin::Person });
    let done = session.end_of_turn().await;
    assert_eq!((done.text.as_str(), done.code()), ("kept here", 3));
    assert!(matches!(done.end.outcome, Outcome::Failed { .. }));
    session.kill().await;
    while viewer.next().await.is_some() {}
    world.assert_empty();
}

#[tokio::test]
async fn a_message_takes_the_prompt_away_and_gives_the_draft_back() {
    let world = World::new();
    let mut session = world.launch().await;
    session.run("PS1='prompt> '").await;
    let mut viewer = Viewer::open(&world, &session, false).await;
    viewer.shows("prompt> ").await;
    viewer.types("echo half").await;
    viewer.shows("echo half").await;
    for round in 0..3 {
        assert_done(&session.run(&format!("echo message {round}")).await, &format!("message {round}"));
        viewer.shows(&format!("message {round}")).await;
        viewer.shows("prompt> ").await;
        viewer.shows("echo half").await;
    }
    viewer.types(" typed\r").await;
    viewer.shows("half typed").await;
    session.until(|report| matches!(report, AgentReport::TurnStarted { origin: TurnOrigin::Person })).await;
    assert_done(&session.end_of_turn().await, "half typed");
    session.kill().await;
}

#[tokio::test]
async fn a_message_waits_for_a_persons_command() {
    let world = World::new();
    let mut bell = world.bell();
    let mut session = world.launch().await;
    session.run("PS1='prompt> '").await;
    let mut viewer = Viewer::open(&world, &session, false).await;
    viewer.shows("prompt> ").await;
    viewer.types("echo > bell; head -n 1; echo person\r").await;
    bell.rings().await;
    let message = session.deliver("echo message").await;
    viewer.types("line\r").await;
    let seen = session.until(|report| matches!(report, AgentReport::Taken { .. })).await;
    let ended = seen.iter().position(|report| matches!(report.report, AgentReport::TurnEnded { .. }));
    assert!(ended.is_some(), "the person's turn ended before the message was taken: {seen:?}");
    let origin = TurnOrigin::Message(message);
    session.until(|report| *report == AgentReport::TurnStarted { origin }).await;
    assert_done(&session.end_of_turn().await, "message");
    session.kill().await;
}

#[tokio::test]
async fn a_person_may_come_and_go_at_any_moment() {
    let world = World::new();
    let mut session = world.launch().await;
    session.run("PS1='prompt> '").await;
    for half_typed in ["", "echo half", "for i in 1 2\r", "\x12sea", "echo 'open quote\r"] {
        let mut viewer = Viewer::open(&world, &session, false).await;
        viewer.shows("prompt> ").await;
        viewer.types(half_typed).await;
        drop(viewer);
        assert_done(&session.run("echo still here").await, "still here");
    }
    session.kill().await;
    world.assert_empty();
}

#[tokio::test]
async fn a_person_may_type_into_a_running_message() {
    let world = World::new();
    let mut session = world.launch().await;
    session.begin("echo ready; head -n 1").await;
    let mut viewer = Viewer::open(&world, &session, false).await;
    viewer.shows("ready").await;
    session.until(|report| matches!(report, AgentReport::RequestOpened { .. })).await;
    viewer.types("typed\r").await;
    let seen = session.until(|report| matches!(report, AgentReport::RequestClosed { .. })).await;
    let AgentReport::RequestClosed { end, .. } = &seen[0].report else { panic!("{seen:?}") };
    assert_eq!(*end, RequestEnd::AnsweredThere);
    let done = session.end_of_turn().await;
    assert_eq!(done.text, "ready\ntyped\ntyped");
    session.kill().await;
}

#[tokio::test]
async fn h706_who_only_looks_changes_nothing() {
    let world = World::new();
    let mut session = world.launch().await;
    let mut viewer = Viewer::open(&world, &session, true).await;
    viewer.types("echo typed\r").await;
    assert_done(&session.run("echo shown; stty size").await, "shown\n50 200");
    viewer.shows("shown").await;
    session.kill().await;
}

#[tokio::test]
async fn a_person_who_leaves_by_exit_ends_the_session() {
    let world = World::new();
    let mut session = world.launch().await;
    session.run("PS1='prompt> '").await;
    let mut viewer = Viewer::open(&world, &session, false).await;
    viewer.shows("prompt> ").await;
    viewer.types("exit 4\r").await;
    assert_eq!(session.exited().await, SessionEnd::Ended { exit: ExitStatus::Code(4) });
    loop {
        match viewer.next().await {
            Some(Frame::Closed(why)) => break assert_eq!(why, "the session has ended"),
            Some(_) => {}
            None => panic!("closed without a word"),
        }
    }
    world.assert_empty();
}

#[tokio::test]
async fn a_viewer_who_does_not_read_holds_up_nobody() {
    let world = World::new();
    let mut session = world.launch().await;
    let mut viewer = Viewer::open(&world, &session, true).await;
    let done = session.run("head -c 20000000 /dev/zero | tr '\\0' x; echo; echo end").await;
    assert!(done.text.ends_with("end"));
    viewer.shows("end").await;
    session.kill().await;
}
