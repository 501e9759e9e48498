//! A host with as many sessions as it may hold: one input costs the same as with one session.

use std::collections::BTreeSet;

use adjutant_core::agent::{AgentReport, Evidence, SessionEnd};
use adjutant_core::call::{NewMessage, NewSession};
use adjutant_core::outcome::ExitStatus;
use adjutant_core::session::Status;
use adjutant_core::time::{BootId, BootMoment, Due};
use adjutant_core::{
    Call, CallId, Caller, Host, HostConfig, Input, MessageId, Now, RequestId, SessionId, Step, Timestamp, limits,
};

use crate::cast::{config, profile};
use crate::machine::{question, started};
use crate::stage::message;

const SESSIONS: usize = limits::SESSIONS_LIVE_MAX;

struct Crowd {
    host: Host,
    now: Now,
}

fn id(number: usize) -> SessionId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&(number as u64).to_be_bytes());
    SessionId::from_bytes(bytes)
}

impl Crowd {
    fn handle(&mut self, input: Input) -> Step {
        self.host.handle(input, self.now)
    }

    fn call(&mut self, call: Call) -> Step {
        self.handle(Input::Call { id: CallId(1), caller: Caller::Human, call })
    }

    fn report(&mut self, session: SessionId, report: AgentReport) -> Step {
        self.handle(Input::Agent { session, observed_at: self.now.wall, cursor: None, report, answer: None })
    }

    fn create(&mut self, number: usize, parent: Option<SessionId>) {
        let mut profile = profile("sure", 0);
        profile.token_hash = format!("hash of {number}");
        let new = NewSession {
            id: id(number),
            name_seed: number as u64 * 7,
            name: None,
            profile,
            parent,
            message: None,
            owned_live_max: None,
        };
        let step = self.call(Call::Create(Box::new(new)));
        assert!(!step.events.is_empty(), "session {number} is not created: {:?}", step.acts);
    }

    /// Everybody has a message that waits for its time, one that runs, and a question.
    fn work(&mut self, number: usize) {
        let x = id(number);
        let due = Some(Due::after(self.now, 1_000 + number as u64));
        let _ = self.report(x, started(1));
        let _ = self.report(x, AgentReport::Ready);
        let _ = self.call(Call::Send { session: x, message: NewMessage { due, ..message("later") }, wake_me: false });
        let _ = self.call(Call::Send { session: x, message: message("now"), wake_me: false });
        let running = MessageId::new(self.host.counters().next_message - 1);
        let evidence = Evidence { source: String::new(), detail: String::new(), at: self.now.wall };
        let _ = self.report(x, AgentReport::Taken { message: running, evidence });
        let _ = self.report(x, AgentReport::RequestOpened { request: question("q") });
        assert_eq!(self.host.next_due(self.now), Some(1_000));
    }
}

#[test]
fn i11_ten_thousand_sessions_are_no_burden() {
    let config = HostConfig { sessions_live_max: SESSIONS, ..config() };
    let boot = BootMoment { boot: BootId([1; 16]), millis: 0 };
    let now = Now { wall: Timestamp::from_millis(0), boot };
    let mut crowd = Crowd { host: Host::new(config.clone()), now };
    crowd.create(0, None);
    for number in 1..SESSIONS {
        crowd.create(number, Some(id(number / 2)).filter(|_| number < 1_000));
    }
    let names: BTreeSet<&str> = crowd.host.sessions().map(|session| session.name.as_str()).collect();
    assert_eq!(names.len(), SESSIONS);
    for number in 0..SESSIONS {
        crowd.work(number);
    }
    for number in 0..SESSIONS {
        let owner = crowd.host.by_request(RequestId::new(number as u64 + 1)).map(|session| session.id);
        assert_eq!(owner, Some(id(number)));
    }
    assert!(crowd.host.descends(id(999), id(1)));
    let host = Host::restore(config, crowd.host.sessions().cloned().collect(), crowd.host.counters());
    assert_eq!(host.next_due(now), Some(1_000));
    crowd.host = host;
    for number in 0..SESSIONS {
        crowd.now.boot.millis = 1_000 + number as u64;
        assert_eq!(crowd.handle(Input::TimeCame).events.len(), 1, "one message is due at a time");
    }
    for number in 0..SESSIONS {
        let end = SessionEnd::Ended { exit: ExitStatus::Code(0) };
        let _ = crowd.report(id(number), AgentReport::Exited { end });
    }
    assert!(crowd.host.sessions().all(|session| session.status() == Status::Exited && session.parent.is_none()));
    for number in 0..SESSIONS {
        let _ = crowd.call(Call::Purge { session: id(number) });
    }
    assert_eq!(crowd.host.sessions().count(), 0);
}
