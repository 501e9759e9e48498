//! The simulation, by seeds and by scripts that proptest makes shorter.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

use crate::choices::Choices;
use crate::tally::Tally;
use crate::world::World;

/// Seeds that once failed, or that reach a corner; they are replayed each time.
const SEEDS: &str = include_str!("seeds.txt");
const MOMENTS: usize = 90;
const RUNS_DEFAULT: u64 = 10_000;

fn seeds() -> impl Iterator<Item = u64> {
    let numbers = SEEDS.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    numbers.filter(|number| !number.is_empty()).map(|number| number.parse().expect("a seed is a number"))
}

#[expect(clippy::disallowed_methods, reason = "the caller of the tests says how many runs and which seed")]
fn wish(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a whole number"))
}

/// Runs one seed, and names it when it fails.
fn run(seed: u64, tape: bool) -> World {
    let replay = || format!("ADJ_SIM_SEED={seed} cargo test -p adjutant-core --test it simulate");
    let mut world = World::new(Choices::Seed(seed));
    world.tape = tape.then(String::new);
    let end = catch_unwind(AssertUnwindSafe(|| world.run(MOMENTS)));
    if let Err(panic) = end {
        println!("{}seed {seed} failed; replay it with: {}", world.tape.unwrap_or_default(), replay());
        resume_unwind(panic);
    }
    world
}

#[test]
fn simulate_many_seeds() {
    if let Some(seed) = wish("ADJ_SIM_SEED") {
        let world = run(seed, true);
        println!("{}", world.tape.unwrap_or_default());
        return;
    }
    let runs = wish("ADJ_SIM_RUNS").unwrap_or(RUNS_DEFAULT);
    let mut total = Tally::default();
    for seed in 0..runs {
        total.add(&run(seed, false).tally);
    }
    println!("{runs} runs: {total:?}");
    assert!(runs < 1_000 || total.missed().is_empty(), "never reached: {:?} in {total:?}", total.missed());
}

#[test]
fn simulate_the_corpus() {
    for seed in seeds() {
        run(seed, false);
    }
}

#[test]
fn simulate_the_same_seed_twice_gives_the_same_bytes() {
    for seed in (0..60).chain(seeds()) {
        let (first, second) = (run(seed, true).tape, run(seed, true).tape);
        assert!(first == second, "seed {seed} gave two different courses");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("tests/it/simulate.regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn simulate_scripts(script in prop::collection::vec(any::<u16>(), 0..1_200)) {
        World::new(Choices::script(script)).run(usize::MAX);
    }
}
