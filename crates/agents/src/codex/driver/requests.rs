//! The app-server's requests: put, answered by somebody, settled.

use adjutant_core::agent::{AgentReport, RequestEnd, TurnOrigin};
use adjutant_core::request::RequestAnswer;
use serde_json::{Value, json};

use super::ask::{self, Ask, Asked};
use super::turns::own_words;
use super::{Driven, Driver};
use crate::codex::wire::{Link, RequestKey};
use crate::{Verdict, verdict};

/// A request that waits for its answer.
#[derive(Clone, Debug)]
pub(super) struct Open {
    native: String,
    id: RequestKey,
    asked: Asked,
    /// An answer of ours is on its way.
    is_answered: bool,
}

impl Driver {
    /// The id under which a request is told. The app-server's own begin anew with each of its lives.
    fn native(&self, id: &RequestKey) -> String {
        let life = self.server.map_or((0, 0), |server| (server.pid, server.start_ticks));
        format!("{}.{}.{}", life.0, life.1, id.word())
    }

    /// The app-server asks something. The same again, after a connection anew, is the same request.
    pub(super) async fn on_request(&mut self, link: &mut Link, id: RequestKey, method: &str, params: &Value) -> Driven {
        if params["threadId"].as_str().is_some_and(|thread| thread != self.thread()) {
            return Ok(());
        }
        let native = self.native(&id);
        let turn = params["turnId"].as_str().unwrap_or_default();
        self.see_turn(link, turn).await?;
        let item = params["itemId"].as_str().unwrap_or_default();
        let changes = self.turn.as_ref().and_then(|running| running.changes(item));
        let Some(ask) = ask::read(&native, method, params, changes) else {
            self.notice(&format!("Codex asked `{method}`, which nobody here can answer; it was refused")).await?;
            return Ok(link.refuse(&id, "this client cannot answer that").await?);
        };
        self.tell_origin(TurnOrigin::Agent).await?;
        match self.ruled(&ask) {
            Some(answer) => self.apply_rule(link, &id, &ask, &answer).await,
            None => self.open_request(native, id, ask).await,
        }
    }

    /// What the rules say. One that refuses any part of it refuses all; they permit what they permit in every part.
    fn ruled(&self, ask: &Ask) -> Option<RequestAnswer> {
        let tool = ask.request.tool.as_deref()?;
        let mut verdicts = ask.subjects.iter().map(|subject| verdict(&self.profile.policy, tool, subject));
        if verdicts.clone().any(|verdict| verdict == Some(Verdict::Deny)) {
            return Some(RequestAnswer::Deny { reason: None });
        }
        let is_allowed = !ask.subjects.is_empty() && verdicts.all(|verdict| verdict == Some(Verdict::Allow));
        is_allowed.then_some(RequestAnswer::Allow)
    }

    async fn apply_rule(&mut self, link: &mut Link, id: &RequestKey, ask: &Ask, given: &RequestAnswer) -> Driven {
        link.answer(id, &ask::answer(&ask.asked, given)).await?;
        let tool = ask.request.tool.clone().unwrap_or_default();
        let (decision, summary) = (given.word().to_owned(), ask.request.summary.clone());
        self.report(AgentReport::PolicyApplied { tool, decision, summary }).await
    }

    async fn open_request(&mut self, native: String, id: RequestKey, ask: Ask) -> Driven {
        let Ask { asked, request, .. } = ask;
        if !self.open.iter().any(|open| open.native == native) {
            self.open.push(Open { native: native.clone(), id, asked, is_answered: false });
        }
        if !self.notes.open.contains(&native) {
            self.notes.open.push(native);
            self.save_notes();
        }
        self.report(AgentReport::RequestOpened { request }).await
    }

    /// An answer that was given through Adjutant. Whether it was the first is told when the app-server has settled it.
    pub(super) async fn respond(&mut self, link: &mut Link, native: &str, given: &RequestAnswer) -> Driven {
        let Some(open) = self.open.iter_mut().find(|open| open.native == native) else {
            return self.close(native, RequestEnd::Withdrawn).await;
        };
        open.is_answered = true;
        let (id, answer) = (open.id.clone(), ask::answer(&open.asked, given));
        if let (RequestAnswer::Deny { reason: Some(reason) }, false) = (given, open.asked.takes_words()) {
            self.pass_reason(link, reason).await?;
        }
        Ok(link.answer(&id, &answer).await?)
    }

    /// A refusal of the protocol has no words. Those that somebody gives go into the turn, before the refusal, so that the
    /// agent reads both at once.
    async fn pass_reason(&mut self, link: &mut Link, reason: &str) -> Driven {
        let Some(turn) = self.turn.as_ref().map(|running| running.id.clone()) else { return Ok(()) };
        let text = format!("What you have just asked permission for was refused, with these words: {reason}");
        let params = json!({
            "threadId": self.thread(), "expectedTurnId": turn, "clientUserMessageId": own_words(self.session),
            "input": [{"type": "text", "text": text}],
        });
        match self.try_ask(link, "turn/steer", params).await? {
            Ok(_) => Ok(()),
            Err(refusal) => self.notice(&format!("Codex is not told why it was refused: {}", refusal.message)).await,
        }
    }

    /// A request is settled: by us, or by somebody at the agent's own terminal.
    pub(super) async fn on_resolved(&mut self, id: &RequestKey) -> Driven {
        let native = self.native(id);
        let Some(open) = self.open.iter().find(|open| open.native == native) else { return Ok(()) };
        let end = if open.is_answered { RequestEnd::Answered } else { RequestEnd::AnsweredThere };
        self.close(&native, end).await
    }

    /// Requests that were open when an earlier daemon looked, and that are so no more.
    pub(super) async fn close_settled_unseen(&mut self) -> Driven {
        let is_open = |native: &String| self.open.iter().any(|open| open.native == *native);
        let gone: Vec<String> = self.notes.open.iter().filter(|native| !is_open(native)).cloned().collect();
        for native in gone {
            self.close(&native, RequestEnd::AnsweredThere).await?;
        }
        Ok(())
    }

    async fn close(&mut self, native: &str, end: RequestEnd) -> Driven {
        self.open.retain(|open| open.native != native);
        self.notes.open.retain(|open| open != native);
        self.save_notes();
        self.report(AgentReport::RequestClosed { native: native.to_owned(), end }).await
    }
}
