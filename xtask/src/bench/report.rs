//! What a bench found, as a table: times, ratios, and other figures beside their goals.

use std::fmt;

use super::harness::Samples;

/// What issue and specification ask for; shown beside the figure and never asserted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Goal {
    Under(f64),
    AtLeast(f64),
    Unset,
}

impl Goal {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::Under(limit) => value < limit,
            Self::AtLeast(limit) => value >= limit,
            Self::Unset => true,
        }
    }
}

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Times,
    Ms,
    Mib,
    Count,
    PerSecond,
}

/// One figure of a report.
#[derive(Clone, Debug)]
struct Figure {
    name: String,
    value: f64,
    unit: Unit,
    goal: Goal,
}

/// Everything that one bench found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    title: String,
    samples: Vec<(String, Samples)>,
    figures: Vec<Figure>,
    notes: Vec<String>,
}

impl Report {
    /// An empty report.
    pub(crate) fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// Adds the times of several subjects.
    pub(crate) fn samples(mut self, samples: Vec<(String, Samples)>) -> Self {
        self.samples.extend(samples);
        self
    }

    /// Adds a figure.
    pub(crate) fn figure(mut self, name: impl Into<String>, value: f64, unit: Unit, goal: Goal) -> Self {
        self.figures.push(Figure { name: name.into(), value, unit, goal });
        self
    }

    /// Adds how many times longer one subject takes than another, by their medians; nothing if one was not measured.
    pub(crate) fn ratio(self, slow: &str, fast: &str, goal: Goal) -> Self {
        let ratio = self.median_of(slow).zip(self.median_of(fast)).map(|(slow, fast)| slow / fast);
        match ratio {
            Some(ratio) => self.figure(format!("{slow} / {fast}"), ratio, Unit::Times, goal),
            None => self.note(format!("no ratio of {slow} to {fast}: one of them is not here")),
        }
    }

    /// Adds a sentence.
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// The median of a subject, in milliseconds.
    pub(crate) fn median_of(&self, name: &str) -> Option<f64> {
        let found = self.samples.iter().find(|(subject, samples)| subject == name && samples.count() > 0);
        found.map(|(_, samples)| samples.median_ms())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title)?;
        table(f, &["", "RUNS", "MEDIAN", "P95", "P99"], self.samples.iter().map(times_row))?;
        table(f, &["", "MEASURED", "GOAL", ""], self.figures.iter().map(figure_row))?;
        self.notes.iter().try_for_each(|note| writeln!(f, "  {note}"))
    }
}

fn times_row((name, samples): &(String, Samples)) -> Vec<String> {
    let times = [samples.median_ms(), samples.percentile_ms(95), samples.percentile_ms(99)];
    let times = times.into_iter().map(|time| in_unit(time, Unit::Ms));
    [name.clone(), samples.count().to_string()].into_iter().chain(times).collect()
}

fn figure_row(figure: &Figure) -> Vec<String> {
    let in_unit = |value: f64| in_unit(value, figure.unit);
    let goal = match figure.goal {
        Goal::Under(limit) => format!("under {}", in_unit(limit)),
        Goal::AtLeast(limit) => format!("at least {}", in_unit(limit)),
        Goal::Unset => {
            return vec![figure.name.clone(), in_unit(figure.value), String::new(), String::new()];
        }
    };
    let verdict = if figure.goal.is_met(figure.value) { "met" } else { "MISSED" };
    vec![figure.name.clone(), in_unit(figure.value), goal, verdict.to_owned()]
}

fn in_unit(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Times => format!("{value:.2} x"),
        Unit::Ms => format!("{value:.2} ms"),
        Unit::Mib => format!("{value:.1} MiB"),
        Unit::Count => format!("{value:.0}"),
        Unit::PerSecond => format!("{value:.0} /s"),
    }
}

/// Names to the left, everything else to the right; an empty table is left out with its heading.
fn table(f: &mut fmt::Formatter<'_>, heading: &[&str], rows: impl Iterator<Item = Vec<String>>) -> fmt::Result {
    let heading = heading.iter().map(|cell| (*cell).to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(heading).chain(rows).collect();
    if rows.len() == 1 {
        return Ok(());
    }
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    for row in &rows {
        let cells = row.iter().enumerate().map(|(column, cell)| match (column, width(column).unwrap_or(0)) {
            (0, width) => format!("{cell:<width$}"),
            (_, width) => format!("{cell:>width$}"),
        });
        writeln!(f, "{}", format!("  {}", cells.collect::<Vec<_>>().join("   ")).trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_a_table() {
        let samples = |ns: &[u64]| Samples::of(ns.to_vec());
        let report = Report::new("status")
            .samples(vec![("true".into(), samples(&[500_000])), ("adj".into(), samples(&[1_000_000, 2_000_000]))])
            .ratio("adj", "true", Goal::Under(3.0))
            .ratio("node", "adj", Goal::AtLeast(15.0))
            .figure("ticks", 2.0, Unit::Count, Goal::Under(1.0));
        let expected = "\
status
         RUNS    MEDIAN       P95       P99
  true      1   0.50 ms   0.50 ms   0.50 ms
  adj       2   1.00 ms   2.00 ms   2.00 ms
               MEASURED           GOAL
  adj / true     2.00 x   under 3.00 x      met
  ticks               2        under 1   MISSED
  no ratio of node to adj: one of them is not here
";
        assert_eq!(report.to_string(), expected);
    }
}
