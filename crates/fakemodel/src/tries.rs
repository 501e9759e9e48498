//! How often each step has been asked for: what makes `[[status 500 x2]]` end after two.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::limits::TRIES_KEPT_MAX;
use crate::script::{Move, Step};

#[derive(Debug, Default)]
pub(crate) struct Tries {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    counts: HashMap<String, u32>,
    oldest: VecDeque<String>,
}

impl Tries {
    /// Counts a try of a step, and gives the moves that are played this time.
    pub(crate) fn play(&self, key: &str, step: &Step) -> Step {
        let before = self.count(key);
        let spent = |made: &Move| made.tries().is_some_and(|tries| before >= tries);
        step.iter().filter(|made| !spent(made)).cloned().collect()
    }

    fn count(&self, key: &str) -> u32 {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = kept.counts.get_mut(key) {
            *count += 1;
            return *count - 1;
        }
        if kept.oldest.len() == TRIES_KEPT_MAX {
            let Kept { counts, oldest } = &mut *kept;
            oldest.pop_front().map(|oldest| counts.remove(&oldest));
        }
        kept.counts.insert(key.to_owned(), 1);
        kept.oldest.push_back(key.to_owned());
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::parse;

    #[test]
    fn spent_tries_are_left_out() {
        let tries = Tries::default();
        let step = &parse("[[status 500 x2]][[say hi]]").unwrap()[0];
        let lengths: Vec<usize> = (0..4).map(|_| tries.play("a", step).len()).collect();
        assert_eq!((lengths, tries.play("b", step).len()), (vec![2, 2, 1, 1], 2));
    }
}
