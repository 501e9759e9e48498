//! The goal of a thread: the app-server pursues it, turn after turn, until it is reached, stuck or too dear.

use adjutant_core::Timestamp;
use adjutant_core::agent::AgentReport;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::ask::one_line;
use super::goal_notes::{ACTIVE, BUDGET_LIMITED, GoalNotes, PAUSED};
use super::{Driven, Driver, Stop};
use crate::codex::limits::GOAL_WAITERS_MAX;
use crate::codex::wire::Link;
use crate::{Goal, GoalAnswer, GoalWish, Order};

impl Driver {
    /// Does what somebody wants of the goal. What the connection broke in is done again over the next one: it asks for a
    /// state, and it does not matter how often.
    pub(super) async fn on_goal_wish(
        &mut self,
        link: &mut Link,
        wish: GoalWish,
        answer: oneshot::Sender<GoalAnswer>,
    ) -> Driven {
        let told = match self.grant(link, &wish).await {
            Ok(told) => told,
            Err(stop) => {
                if matches!(stop, Stop::Lost(_)) {
                    self.waiting.push_front(Order::Goal { wish, answer });
                }
                return Err(stop);
            }
        };
        self.goal_waiters.retain(|waiter| !waiter.is_closed());
        if wish == GoalWish::AwaitEnd && is_pursued(&told) && self.goal_waiters.len() < GOAL_WAITERS_MAX {
            self.goal_waiters.push(answer);
            return Ok(());
        }
        // Whoever asked may have gone.
        let _ = answer.send(told);
        Ok(())
    }

    async fn grant(&mut self, link: &mut Link, wish: &GoalWish) -> Driven<GoalAnswer> {
        if !self.is_loaded {
            self.load_thread(link).await?;
        }
        match wish {
            GoalWish::Show | GoalWish::AwaitEnd => self.goal_of(link).await,
            GoalWish::Done { evidence } => self.change_goal(link, "complete", evidence.as_deref()).await,
            GoalWish::Blocked { reason } => self.change_goal(link, "blocked", Some(reason)).await,
            GoalWish::Set { objective: Some(objective), token_budget, max_turns } => {
                self.begin_goal(link, objective.trim(), *token_budget, *max_turns).await
            }
            GoalWish::Set { objective: None, token_budget, max_turns } => {
                self.bound_goal(link, *token_budget, *max_turns).await
            }
            GoalWish::Pause => self.change_goal(link, PAUSED, None).await,
            GoalWish::Resume => match self.notes.goal.as_ref().and_then(GoalNotes::spent) {
                Some(spent) => Ok(GoalAnswer::Refused(format!("{spent}; give it more with `--max-turns`"))),
                None => self.change_goal(link, ACTIVE, None).await,
            },
            GoalWish::Clear => self.clear_goal(link).await,
        }
    }

    /// Sets another goal, which is pursued at once, whatever became of the one before. Its bounds are on the disk before.
    /// The app-server would count on where the one before was, and keep its budget; so that one is cleared, once the
    /// app-server has taken the new words.
    async fn begin_goal(
        &mut self,
        link: &mut Link,
        objective: &str,
        token_budget: Option<u64>,
        max_turns: Option<u32>,
    ) -> Driven<GoalAnswer> {
        let has_one = !matches!(self.goal_of(link).await?, GoalAnswer::Goal(None));
        let before = self.notes.goal.replace(GoalNotes::new(objective, max_turns, self.notes.begun));
        self.save_notes();
        let wanted = |status| json!({"objective": objective, "tokenBudget": token_budget, "status": status});
        let mut told = if has_one { self.replace_goal(link, wanted(PAUSED)).await? } else { GoalAnswer::Goal(None) };
        if !matches!(told, GoalAnswer::Refused(_)) {
            told = self.set_goal(link, wanted(ACTIVE)).await?;
        }
        if matches!(told, GoalAnswer::Refused(_)) {
            self.notes.goal = before;
            self.save_notes();
        }
        Ok(told)
    }

    /// Clears the goal that is there, unless the app-server refuses the one that is to take its place. That it was cleared
    /// is heard when the other is there, and nobody is told of an end.
    async fn replace_goal(&mut self, link: &mut Link, wanted: Value) -> Driven<GoalAnswer> {
        match self.set_goal(link, wanted).await? {
            GoalAnswer::Refused(why) => Ok(GoalAnswer::Refused(why)),
            GoalAnswer::Goal(_) | GoalAnswer::Cleared(_) => self.clear_goal(link).await,
        }
    }

    async fn clear_goal(&mut self, link: &mut Link) -> Driven<GoalAnswer> {
        let params = json!({"threadId": self.thread()});
        Ok(match self.try_ask(link, "thread/goal/clear", params).await? {
            Ok(cleared) => GoalAnswer::Cleared(cleared["cleared"].as_bool().unwrap_or(true)),
            Err(refusal) => GoalAnswer::Refused(refusal.message),
        })
    }

    /// Bounds the goal that is there otherwise.
    async fn bound_goal(
        &mut self,
        link: &mut Link,
        token_budget: Option<u64>,
        max_turns: Option<u32>,
    ) -> Driven<GoalAnswer> {
        if matches!(self.goal_of(link).await?, GoalAnswer::Goal(None)) {
            return Ok(none_to_change());
        }
        let goes_on = self.notes.goal.as_mut().is_some_and(|goal| goal.bound(max_turns));
        self.save_notes();
        let status = goes_on.then_some(ACTIVE);
        match (token_budget, status) {
            (None, None) => self.goal_of(link).await,
            _ => self.set_goal(link, json!({"tokenBudget": token_budget, "status": status})).await,
        }
    }

    /// Has the goal stand otherwise. Codex keeps no word about why, so that is kept here, and told.
    async fn change_goal(&mut self, link: &mut Link, status: &str, why: Option<&str>) -> Driven<GoalAnswer> {
        if matches!(self.goal_of(link).await?, GoalAnswer::Goal(None)) {
            return Ok(none_to_change());
        }
        if let Some(why) = why {
            self.notice(&format!("goal {status}: {why}")).await?;
        }
        if let Some(goal) = &mut self.notes.goal {
            goal.change(status, why.map(one_line));
        }
        self.set_goal(link, json!({ "status": status })).await
    }

    async fn set_goal(&mut self, link: &mut Link, mut wanted: Value) -> Driven<GoalAnswer> {
        if let Some(members) = wanted.as_object_mut() {
            members.retain(|_, value| !value.is_null());
        }
        wanted["threadId"] = json!(self.thread());
        wanted["origin"] = json!("user");
        Ok(match self.try_ask(link, "thread/goal/set", wanted).await? {
            Ok(answer) => GoalAnswer::Goal(self.know_goal(&answer["goal"])),
            Err(refusal) => GoalAnswer::Refused(refusal.message),
        })
    }

    async fn goal_of(&mut self, link: &mut Link) -> Driven<GoalAnswer> {
        let params = json!({"threadId": self.thread()});
        Ok(match self.try_ask(link, "thread/goal/get", params).await? {
            Ok(answer) => GoalAnswer::Goal(self.know_goal(&answer["goal"])),
            Err(refusal) => GoalAnswer::Refused(refusal.message),
        })
    }

    /// Takes down how the app-server says that the goal stands, and puts to it what is kept here alone.
    fn know_goal(&mut self, told: &Value) -> Option<Goal> {
        let told = read(told);
        let before = self.notes.goal.take();
        let is_working = self.turn.is_some();
        self.notes.goal = told.as_ref().map(|told| GoalNotes::of(told, before.clone(), self.notes.begun, is_working));
        if self.notes.goal != before {
            self.save_notes();
        }
        told.map(|told| self.notes.goal.as_ref().map_or(told.clone(), |notes| notes.completed(told)))
    }

    /// The goal may stand otherwise now. That it was cleared is said at each loading of a thread, so it is asked.
    pub(super) async fn on_goal(&mut self, link: &mut Link) -> Driven {
        let told = self.goal_of(link).await?;
        if let GoalAnswer::Goal(goal) = &told {
            self.tell_goal(goal.as_ref()).await?;
        }
        if !is_pursued(&told) {
            for waiter in std::mem::take(&mut self.goal_waiters) {
                let _ = waiter.send(told.clone());
            }
        }
        Ok(())
    }

    /// Tells of the goal as it stands.
    async fn tell_goal(&mut self, goal: Option<&Goal>) -> Driven {
        let kept = |goal: &Goal| adjutant_core::session::Goal {
            objective: one_line(&goal.objective),
            status: goal.status.clone(),
            token_budget: goal.token_budget,
        };
        self.report(AgentReport::Goal { goal: goal.map(kept) }).await
    }

    /// Sees to it that the goal takes no more turns than it may. In the last one the app-server is told that there is no
    /// other, since it begins one in the moment in which that ends.
    pub(super) async fn limit_goal(&mut self, link: &mut Link) -> Driven {
        let Some(goal) = self.notes.goal.as_mut().filter(|goal| goal.status == ACTIVE && goal.spent().is_some()) else {
            return Ok(());
        };
        let is_surplus = goal.is_surplus;
        goal.is_last_turn = self.turn.is_some() && !is_surplus;
        if let GoalAnswer::Refused(why) = self.set_goal(link, json!({ "status": BUDGET_LIMITED })).await? {
            // Not with each message again.
            self.notes.goal = None;
            return self.notice(&format!("the goal cannot be bounded: {why}")).await;
        }
        if is_surplus {
            self.notice("Codex has begun a turn beyond those that the goal may take; it is stopped").await?;
            let _ = self.ask_to_stop(link).await?;
        }
        self.on_goal(link).await
    }

    /// Has the goal rest, since somebody has stopped what is done. The app-server would call it pursued, and do nothing.
    pub(super) async fn rest_goal(&mut self, link: &mut Link) -> Driven {
        if !self.notes.goal.as_ref().is_some_and(|goal| goal.is_pursued()) {
            return Ok(());
        }
        let _ = self.change_goal(link, PAUSED, Some("interrupted")).await?;
        self.on_goal(link).await
    }

    /// A turn has ended, perhaps with an error that has ended the goal as well.
    pub(super) async fn on_goals_turn_end(&mut self, link: &mut Link, error: Option<&str>) -> Driven {
        let Some(goal) = &mut self.notes.goal else { return Ok(()) };
        if let Some(error) = error {
            goal.blame(one_line(error));
        }
        if goal.is_last_turn || error.is_some() { self.on_goal(link).await } else { Ok(()) }
    }
}

fn none_to_change() -> GoalAnswer {
    GoalAnswer::Refused("there is no goal; `adj goal <id> <objective>` sets one".to_owned())
}

fn is_pursued(told: &GoalAnswer) -> bool {
    match told {
        GoalAnswer::Goal(Some(goal)) => goal.status == ACTIVE,
        GoalAnswer::Goal(None) | GoalAnswer::Cleared(_) | GoalAnswer::Refused(_) => false,
    }
}

fn read(value: &Value) -> Option<Goal> {
    let seconds = |member: &str| Timestamp::from_millis(value[member].as_i64().unwrap_or(0) * 1000);
    Some(Goal {
        objective: value["objective"].as_str()?.to_owned(),
        status: value["status"].as_str().unwrap_or_default().to_owned(),
        token_budget: value["tokenBudget"].as_u64(),
        tokens_used: value["tokensUsed"].as_u64().unwrap_or(0),
        time_used_seconds: value["timeUsedSeconds"].as_u64().unwrap_or(0),
        max_turns: None,
        turns_used: 0,
        reason: None,
        created_at: seconds("createdAt"),
        updated_at: seconds("updatedAt"),
    })
}
