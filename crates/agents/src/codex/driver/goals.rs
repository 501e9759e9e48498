//! The goal of a thread: the app-server pursues it, turn after turn, until it is reached, stuck or too dear.

use adjutant_core::Timestamp;
use adjutant_core::agent::AgentReport;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::ask::one_line;
use super::{Driven, Driver};
use crate::codex::limits::GOAL_WAITERS_MAX;
use crate::codex::wire::Link;
use crate::{Goal, GoalAnswer, GoalWish};

/// The word of a goal that is pursued.
const ACTIVE: &str = "active";

impl Driver {
    /// Does what somebody wants of the goal.
    pub(super) async fn on_goal_wish(
        &mut self,
        link: &mut Link,
        wish: GoalWish,
        answer: oneshot::Sender<GoalAnswer>,
    ) -> Driven {
        if !self.is_loaded {
            self.load_thread(link).await?;
        }
        let told = match wish {
            GoalWish::Show => self.goal_of(link).await?,
            GoalWish::Set { max_turns: Some(_), .. } => {
                GoalAnswer::Refused("Codex bounds a goal by tokens and not by turns; use --budget".to_owned())
            }
            GoalWish::Done { evidence } => self.close_goal(link, "complete", evidence.as_deref()).await?,
            GoalWish::Blocked { reason } => self.close_goal(link, "blocked", Some(&reason)).await?,
            GoalWish::Set { objective, token_budget, max_turns: None } => {
                // A new objective is pursued at once, whatever became of the one before.
                let status = objective.is_some().then_some(ACTIVE);
                self.set_goal(link, json!({"objective": objective, "tokenBudget": token_budget, "status": status}))
                    .await?
            }
            GoalWish::Pause => self.set_goal(link, json!({"status": "paused"})).await?,
            GoalWish::Resume => self.set_goal(link, json!({"status": ACTIVE})).await?,
            GoalWish::Clear => {
                let params = json!({"threadId": self.thread()});
                match self.try_ask(link, "thread/goal/clear", params).await? {
                    Ok(cleared) => GoalAnswer::Cleared(cleared["cleared"].as_bool().unwrap_or(true)),
                    Err(refusal) => GoalAnswer::Refused(refusal.message),
                }
            }
            GoalWish::AwaitEnd => {
                let told = self.goal_of(link).await?;
                self.goal_waiters.retain(|waiter| !waiter.is_closed());
                if is_pursued(&told) && self.goal_waiters.len() < GOAL_WAITERS_MAX {
                    self.goal_waiters.push(answer);
                    return Ok(());
                }
                told
            }
        };
        // Whoever asked may have gone.
        let _ = answer.send(told);
        Ok(())
    }

    /// Has a goal stand as ended. Codex keeps no word about why, so that is told beside it.
    async fn close_goal(&mut self, link: &mut Link, status: &str, why: Option<&str>) -> Driven<GoalAnswer> {
        let told = self.set_goal(link, json!({ "status": status })).await?;
        if let (GoalAnswer::Goal(_), Some(why)) = (&told, why) {
            self.notice(&format!("goal {status}: {why}")).await?;
        }
        Ok(told)
    }

    async fn set_goal(&mut self, link: &mut Link, mut wanted: Value) -> Driven<GoalAnswer> {
        if let Some(members) = wanted.as_object_mut() {
            members.retain(|_, value| !value.is_null());
        }
        wanted["threadId"] = json!(self.thread());
        wanted["origin"] = json!("user");
        Ok(match self.try_ask(link, "thread/goal/set", wanted).await? {
            Ok(answer) => GoalAnswer::Goal(goal(&answer["goal"])),
            Err(refusal) => GoalAnswer::Refused(refusal.message),
        })
    }

    async fn goal_of(&mut self, link: &mut Link) -> Driven<GoalAnswer> {
        let params = json!({"threadId": self.thread()});
        Ok(match self.try_ask(link, "thread/goal/get", params).await? {
            Ok(answer) => GoalAnswer::Goal(goal(&answer["goal"])),
            Err(refusal) => GoalAnswer::Refused(refusal.message),
        })
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
    pub(super) async fn tell_goal(&mut self, goal: Option<&Goal>) -> Driven {
        let kept = |goal: &Goal| adjutant_core::session::Goal {
            objective: one_line(&goal.objective),
            status: goal.status.clone(),
            token_budget: goal.token_budget,
        };
        self.report(AgentReport::Goal { goal: goal.map(kept) }).await
    }
}

fn is_pursued(told: &GoalAnswer) -> bool {
    match told {
        GoalAnswer::Goal(Some(goal)) => goal.status == ACTIVE,
        GoalAnswer::Goal(None) | GoalAnswer::Cleared(_) | GoalAnswer::Refused(_) => false,
    }
}

fn goal(value: &Value) -> Option<Goal> {
    let seconds = |member: &str| Timestamp::from_millis(value[member].as_i64().unwrap_or(0) * 1000);
    Some(Goal {
        objective: value["objective"].as_str()?.to_owned(),
        status: value["status"].as_str().unwrap_or_default().to_owned(),
        token_budget: value["tokenBudget"].as_u64(),
        tokens_used: value["tokensUsed"].as_u64().unwrap_or(0),
        time_used_seconds: value["timeUsedSeconds"].as_u64().unwrap_or(0),
        created_at: seconds("createdAt"),
        updated_at: seconds("updatedAt"),
    })
}
