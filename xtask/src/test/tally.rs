//! The sum of what the test runners say.

use std::fmt;

/// Tests that passed and tests that failed; shown as the last line of `cargo xtask test`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

impl Tally {
    /// Adds a line of output, if it is the summary of `cargo test` or of nextest.
    ///
    /// Nextest repeats what a failed test said, and so the summary of its process, but indented.
    pub(crate) fn read(&mut self, line: &str) {
        if let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")) {
            counts.split(';').for_each(|count| self.add(count));
        } else if let Some((_, counts)) = nextest_counts(line.trim()) {
            counts.split(',').for_each(|count| self.add(count));
        }
    }

    /// Adds one count, such as `3 passed`; a test that ran out of time or could not start has failed.
    fn add(&mut self, count: &str) {
        let Some((number, what)) = count.trim().split_once(' ') else {
            return;
        };
        let number = number.parse().unwrap_or(0);
        match what.split_whitespace().next().unwrap_or_default() {
            "passed" => self.passed += number,
            "failed" | "timed" | "exec" => self.failed += number,
            _ => {}
        }
    }
}

fn nextest_counts(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix("Summary [")?;
    rest.split_once(" tests run: ").or_else(|| rest.split_once(" test run: "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(lines: &[&str]) -> String {
        let mut tally = Tally::default();
        lines.iter().for_each(|line| tally.read(line));
        tally.to_string()
    }

    #[test]
    fn cargo_test() {
        let lines = [
            "test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 2 filtered out; finished in 0.00s",
            "test queue::order ... ok",
            "test result: FAILED. 7 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s",
        ];
        assert_eq!(tally(&lines), "12 passed, 2 failed");
    }

    #[test]
    fn nextest() {
        let lines = [
            "     Summary [   0.021s] 3 tests run: 3 passed, 0 skipped",
            "     Summary [   9.100s] 10/12 tests run: 6 passed (1 slow, 1 flaky), 2 failed, 1 timed out, 1 exec failed, 0 skipped",
            "    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "     Summary [   0.001s] 1 test run: 1 passed (1 leaky), 0 skipped",
        ];
        assert_eq!(tally(&lines), "10 passed, 4 failed");
    }

    #[test]
    fn other_words_count_nothing() {
        assert_eq!(tally(&["3 passed; 1 failed", "error: test failed"]), "0 passed, 0 failed");
    }
}
