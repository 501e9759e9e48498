//! Taking samples in turns.

use anyhow::Result;

use super::clock::now_ns;
use crate::stats::{median, percentile};

/// Nanoseconds of every run of one subject.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples {
    sorted_ns: Vec<u64>,
}

impl Samples {
    /// Takes samples in any order.
    pub(crate) fn of(mut ns: Vec<u64>) -> Self {
        ns.sort_unstable();
        Self { sorted_ns: ns }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.sorted_ns.len()
    }

    /// The sample in the middle, in milliseconds.
    pub(crate) fn median_ms(&self) -> f64 {
        ms(median(&self.sorted_ns))
    }

    /// The sample below which `percent` of all lie, in milliseconds.
    pub(crate) fn percentile_ms(&self, percent: usize) -> f64 {
        ms(percentile(&self.sorted_ns, percent))
    }
}

fn ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}

/// Something that is run many times.
pub(crate) struct Subject<'a> {
    pub(crate) name: String,
    pub(crate) runs: usize,
    /// One run; it fails when the thing that is measured did not do its work.
    pub(crate) act: Box<dyn FnMut() -> Result<()> + 'a>,
}

impl<'a> Subject<'a> {
    /// A subject of this name.
    pub(crate) fn new(name: impl Into<String>, runs: usize, act: impl FnMut() -> Result<()> + 'a) -> Self {
        Self { name: name.into(), runs, act: Box::new(act) }
    }
}

/// Runs all subjects in turns, each once before anything is counted; one with fewer runs is spread over the whole time.
pub(crate) fn interleave(mut subjects: Vec<Subject<'_>>) -> Result<Vec<(String, Samples)>> {
    for subject in &mut subjects {
        (subject.act)()?;
    }
    let rounds = subjects.iter().map(|subject| subject.runs).max().unwrap_or(0);
    let mut taken: Vec<Vec<u64>> = vec![Vec::new(); subjects.len()];
    for round in 0..rounds {
        for (subject, taken) in subjects.iter_mut().zip(&mut taken) {
            if is_its_turn(round, rounds, subject.runs) {
                taken.push(timed(&mut subject.act)?);
            }
        }
    }
    Ok(subjects.into_iter().zip(taken).map(|(subject, ns)| (subject.name, Samples::of(ns))).collect())
}

fn is_its_turn(round: usize, rounds: usize, runs: usize) -> bool {
    round * runs / rounds != (round + 1) * runs / rounds
}

fn timed(act: &mut dyn FnMut() -> Result<()>) -> Result<u64> {
    let started = now_ns();
    act()?;
    Ok(now_ns() - started)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn turns_are_taken_and_the_rare_one_is_spread() {
        let order = RefCell::new(String::new());
        let subject = |name: &'static str, runs| {
            let order = &order;
            Subject::new(name, runs, move || {
                order.borrow_mut().push_str(name);
                Ok(())
            })
        };
        let taken = interleave(vec![subject("a", 4), subject("b", 2)]).unwrap();
        assert_eq!(order.borrow().as_str(), "abaabaab");
        assert_eq!(taken.iter().map(|(_, samples)| samples.count()).collect::<Vec<_>>(), [4, 2]);
    }

    #[test]
    fn a_run_that_fails_is_no_sample() {
        assert!(interleave(vec![Subject::new("a", 1, || anyhow::bail!("no"))]).is_err());
    }

    #[test]
    fn percentiles_are_in_milliseconds() {
        let samples = Samples::of(vec![3_000_000, 1_000_000, 2_000_000]);
        assert!((samples.median_ms() - 2.0).abs() < 1e-9 && (samples.percentile_ms(99) - 3.0).abs() < 1e-9);
    }
}
