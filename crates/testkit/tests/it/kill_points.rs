//! The daemon is killed at each named point between commit and effect; whatever the seed makes of it, no message is lost,
//! none runs twice, whoever waits gets the answer, and the log folds to the projections.

use crate::scenario::Scenario;

/// Seeds for each point unless `ADJ_SEEDS` says how many; all of them together are 200 and a few.
const SEEDS: u64 = 23;

/// Runs all seeds of a point, or the one that `ADJ_SEED` names. `passes_max` is how often a scenario surely passes it.
fn all_seeds(point: &str, passes_max: usize) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let position = POINTS.iter().position(|known| *known == point).unwrap_or(0);
    let first = 1_000_000 * position as u64;
    let wanted = number("ADJ_SEED");
    let seeds = wanted.map_or(first..first + number("ADJ_SEEDS").unwrap_or(SEEDS), |seed| seed..seed + 1);
    let count = seeds.end - seeds.start;
    let killed =
        seeds.filter(|seed| Scenario::begin(point, passes_max, *seed).run(point == "before_end")).count() as u64;
    assert!(wanted.is_some() || killed * 4 >= count * 3, "only {killed} of {count} seeds killed the daemon at {point}");
}

macro_rules! points {
    ($($point:ident up_to $passes:literal;)+) => {
        const POINTS: &[&str] = &[$(stringify!($point)),+];

        $(#[test]
        fn $point() {
            all_seeds(stringify!($point), $passes);
        })+
    };
}

points! {
    before_commit up_to 9;
    after_commit up_to 9;
    before_reply up_to 6;
    before_launch up_to 1;
    after_launch up_to 1;
    before_deliver up_to 3;
    after_deliver up_to 3;
    before_end up_to 1;
    after_report_commit up_to 6;
}

#[test]
fn every_point_of_the_daemon_has_its_test() {
    let source = include_str!("../../../daemon/src/testpoint.rs");
    let list = source.split("TESTPOINTS").nth(1).and_then(|rest| rest.split("];").next()).expect("a list of points");
    let named: Vec<&str> = list.split('"').skip(1).step_by(2).collect();
    assert_eq!(named, POINTS, "crates/daemon/src/testpoint.rs lists other points than this file");
}
