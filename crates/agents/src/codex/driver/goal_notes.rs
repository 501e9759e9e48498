//! What Codex does not keep of a goal: the turns that it may take and has taken, and why it stands as it does.

use serde::{Deserialize, Serialize};

use crate::Goal;

/// The word of a goal that is pursued.
pub(super) const ACTIVE: &str = "active";
/// That of one that rests.
pub(super) const PAUSED: &str = "paused";
/// That of one that has reached its bounds. In a turn that runs, the app-server goes on with it and counts its tokens; it
/// begins no other.
pub(super) const BUDGET_LIMITED: &str = "budgetLimited";
/// Those of goals that a turn's error may have ended.
const STUCK: [&str; 2] = ["blocked", "usageLimited"];

/// What is noted of a goal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::codex) struct GoalNotes {
    /// What is to be reached. With another objective it is another goal.
    objective: String,
    /// How it stands, in the app-server's word.
    pub(super) status: String,
    /// Turns that it may take.
    max_turns: Option<u32>,
    /// Turns that the agent has begun for it.
    turns_used: u32,
    /// The number of the last turn of the session that was looked at.
    counted: u64,
    /// The app-server was told to begin no other turn, and goes on with the one that runs.
    pub(super) is_last_turn: bool,
    /// The last turn was begun although it may take no other.
    pub(super) is_surplus: bool,
    /// Why it stands as it does, where somebody has said that.
    reason: Option<String>,
}

impl GoalNotes {
    /// A goal that begins after the turn of this number.
    pub(super) fn new(objective: &str, max_turns: Option<u32>, counted: u64) -> Self {
        Self { objective: objective.to_owned(), max_turns, counted, ..Self::default() }
    }

    /// What is noted of the goal that the app-server tells of.
    pub(super) fn of(told: &Goal, before: Option<Self>, counted: u64, is_working: bool) -> Self {
        let kept = before.filter(|before| before.objective == told.objective);
        let mut notes = kept.unwrap_or_else(|| Self::new(&told.objective, None, counted));
        if notes.status != told.status {
            notes.reason = None;
        }
        notes.status.clone_from(&told.status);
        notes.is_last_turn &= is_working && told.status == BUDGET_LIMITED;
        notes
    }

    /// It stands otherwise now, for this reason.
    pub(super) fn change(&mut self, status: &str, reason: Option<String>) {
        status.clone_into(&mut self.status);
        self.reason = reason;
        self.is_last_turn = false;
    }

    /// It may take so many turns; says whether the turn that runs is not its last one any more.
    pub(super) fn bound(&mut self, max_turns: Option<u32>) -> bool {
        self.max_turns = max_turns.or(self.max_turns);
        let was_last = self.is_last_turn;
        self.is_last_turn &= self.spent().is_some();
        was_last && !self.is_last_turn
    }

    /// The agent has begun a turn of its own, the session's of this number.
    pub(super) fn count(&mut self, number: u64) {
        if self.counted < number && self.status == ACTIVE {
            self.counted = number;
            self.is_surplus = self.spent().is_some();
            self.turns_used += 1;
        }
    }

    /// An error has ended a turn, and perhaps the goal.
    pub(super) fn blame(&mut self, error: String) {
        if STUCK.contains(&self.status.as_str()) && self.reason.is_none() {
            self.reason = Some(error);
        }
    }

    /// Says so if it has taken the turns that it may take.
    pub(super) fn spent(&self) -> Option<String> {
        let max = self.max_turns.filter(|max| self.turns_used >= *max)?;
        Some(format!("it has taken {} of {max} turns", self.turns_used))
    }

    /// Whether it is pursued: also in its last turn, which the app-server does not call so.
    pub(super) fn is_pursued(&self) -> bool {
        self.status == ACTIVE || self.is_last_turn
    }

    /// The goal with what is noted of it.
    pub(super) fn completed(&self, told: Goal) -> Goal {
        let status = if self.is_pursued() { ACTIVE.to_owned() } else { told.status };
        let spent = if status == BUDGET_LIMITED { self.spent() } else { None };
        let (max_turns, turns_used) = (self.max_turns, self.turns_used);
        Goal { status, max_turns, turns_used, reason: self.reason.clone().or(spent), ..told }
    }
}

#[cfg(test)]
mod tests {
    use adjutant_core::Timestamp;

    use super::*;

    fn told(objective: &str, status: &str) -> Goal {
        Goal {
            objective: objective.to_owned(),
            status: status.to_owned(),
            token_budget: None,
            tokens_used: 0,
            time_used_seconds: 0,
            max_turns: None,
            turns_used: 0,
            reason: None,
            created_at: Timestamp::from_millis(0),
            updated_at: Timestamp::from_millis(0),
        }
    }

    #[test]
    fn turns_are_counted_once_and_bounded() {
        let mut notes = GoalNotes::of(&told("x", ACTIVE), Some(GoalNotes::new("x", Some(2), 7)), 7, false);
        notes.count(7);
        notes.count(8);
        notes.count(8);
        assert_eq!((notes.turns_used, notes.spent()), (1, None));
        notes.count(9);
        assert!(notes.spent().is_some() && !notes.is_surplus);
        notes.is_last_turn = true;
        let last = GoalNotes::of(&told("x", BUDGET_LIMITED), Some(notes.clone()), 9, true);
        assert_eq!(last.completed(told("x", BUDGET_LIMITED)).status, ACTIVE);
        let over = GoalNotes::of(&told("x", BUDGET_LIMITED), Some(last.clone()), 9, false);
        let shown = over.completed(told("x", BUDGET_LIMITED));
        assert_eq!((shown.status.as_str(), shown.turns_used), (BUDGET_LIMITED, 2));
        assert_eq!(shown.reason.as_deref(), Some("it has taken 2 of 2 turns"));
        notes.count(10);
        assert!(notes.is_surplus);
        let mut more = last;
        assert!(more.bound(Some(5)) && !more.bound(Some(6)));
    }

    #[test]
    fn another_goal_begins_anew_and_a_reason_is_that_of_its_status() {
        let mut notes = GoalNotes::of(&told("x", ACTIVE), None, 3, false);
        notes.count(4);
        notes.change(PAUSED, Some("so".to_owned()));
        let same = GoalNotes::of(&told("x", PAUSED), Some(notes.clone()), 4, false);
        assert_eq!((same.reason.as_deref(), same.turns_used), (Some("so"), 1));
        assert_eq!(GoalNotes::of(&told("x", ACTIVE), Some(notes.clone()), 4, false).reason, None);
        assert_eq!(GoalNotes::of(&told("y", ACTIVE), Some(notes), 4, false).turns_used, 0);
        let mut stuck = GoalNotes::of(&told("x", "blocked"), None, 3, false);
        stuck.blame("no such model".to_owned());
        assert_eq!(stuck.completed(told("x", "blocked")).reason.as_deref(), Some("no such model"));
    }
}
