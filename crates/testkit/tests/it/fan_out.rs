//! Fifty sessions created by fifty processes, each asked something, and the ways to wait for many.

use adjutant_testkit::{Bell, Running, World, await_fact};

use crate::SOON;
use crate::look::streams;

const SESSIONS: usize = 50;

struct Fan {
    world: World,
    ids: Vec<String>,
    gates: Vec<Bell>,
}

/// All sessions at work; each goes on when its gate is opened, and then says its number.
fn fan() -> Fan {
    let world = World::new();
    let gates: Vec<Bell> = (0..SESSIONS).map(|i| world.bell(&format!("gate-{i}"))).collect();
    let mut begun = world.bell("begun");
    let script = |i: usize| format!("echo x > begun; read -r _ < gate-{i}; echo answer {i}");
    let started: Vec<Running> =
        (0..SESSIONS).map(|i| world.start(["create", "-q", "--cli", "shell", &script(i)])).collect();
    let ids = started.into_iter().map(|create| create.end().expect_code(0).word().to_owned()).collect();
    (0..SESSIONS).for_each(|_| drop(begun.line(SOON)));
    Fan { world, ids, gates }
}

fn wait(fan: &Fan, options: &[&str]) -> Running {
    let words = ["wait", "-t", "none"].into_iter().chain(options.iter().copied());
    fan.world.start(words.chain(fan.ids.iter().map(String::as_str)))
}

#[test]
fn waits_on_fifty_return_at_the_first_at_the_third_and_at_the_last() {
    let fan = fan();
    let (all, any, third, printed) =
        (wait(&fan, &[]), wait(&fan, &["--any"]), wait(&fan, &["--count", "3"]), wait(&fan, &["--print"]));
    await_fact("all waits are connected", SOON, || streams(&fan.world) >= 4);

    // The first: `--any` returns while nobody else is done.
    fan.gates[17].release(1);
    let first = any.end().expect_code(0);
    assert_eq!(first.stdout, format!("{}\tcompleted\n", fan.ids[17]), "{first:#?}");
    let words = ["status"].into_iter().chain(fan.ids.iter().map(String::as_str));
    let status = fan.world.adj(words).expect_code(0);
    assert_eq!(status.stdout.matches("\tworking\n").count(), SESSIONS - 1, "{status:#?}");
    all.await_stdout("a session is told as it is done", SOON, |said| said == first.stdout);
    assert!(third.runs() && printed.runs());

    // The third.
    for gate in [3, 42] {
        fan.gates[gate].release(1);
        let told = format!("{}\tcompleted\n", fan.ids[gate]);
        all.await_stdout("a session is told as it is done", SOON, |said| said.ends_with(&told));
    }
    let three = third.end().expect_code(0);
    let expected: String = [17, 3, 42].iter().map(|i: &usize| format!("{}\tcompleted\n", fan.ids[*i])).collect();
    assert_eq!(three.stdout, expected, "{three:#?}");

    // All but one.
    let last = SESSIONS - 1;
    (0..last).filter(|i| ![17, 3, 42].contains(i)).for_each(|i| fan.gates[i].release(1));
    all.await_stdout("all but one are done", SOON, |said| said.lines().count() == last);
    assert!(all.runs() && printed.runs(), "a wait on all waits for the last");

    fan.gates[last].release(1);
    let all = all.end().expect_code(0);
    assert!(all.stdout.ends_with(&format!("{}\tcompleted\n", fan.ids[last])), "{all:#?}");
    let mut told: Vec<&str> = all.stdout.lines().filter_map(|line| line.strip_suffix("\tcompleted")).collect();
    let mut ids: Vec<&str> = fan.ids.iter().map(String::as_str).collect();
    told.sort_unstable();
    ids.sort_unstable();
    assert_eq!(told, ids, "each session is told once");
    let printed = printed.end().expect_code(0);
    let mut answers: Vec<&str> = printed.stdout.lines().collect();
    let mut expected: Vec<String> = (0..SESSIONS).map(|i| format!("answer {i}")).collect();
    answers.sort_unstable();
    expected.sort_unstable();
    assert_eq!(answers, expected, "{printed:#?}");
}
