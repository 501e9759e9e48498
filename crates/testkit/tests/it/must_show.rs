//! What the issue says must be shown, as it says it.

use adjutant_testkit::{Process, Running, World, await_fact};
use rustix::process::Signal;
use serde_json::Value;

use crate::SOON;
use crate::look::{Hold, begin, processes, streams, world_with_adj};

/// "`sid=$(adj create -q --cli shell)`; `adj send $sid 'sleep 2; echo hi; exit 7'`; `adj wait --print $sid` prints `hi`, exits
/// 7; `adj status $sid --explain` names its source; `adj inspect $sid --json` shows the message's receipt."
#[test]
fn a_task_is_delivered_waited_for_and_answered_by_its_output_and_code() {
    let world = world_with_adj();
    let script = "sid=$(adj create -q --cli shell)
adj send $sid 'sleep 2; echo hi; exit 7'
adj wait --print $sid; echo \"= $?\"
adj status $sid --explain; echo \"= $?\"
adj inspect $sid --json";
    let told = world.inside(script).expect_code(0);
    let lines: Vec<&str> = told.stdout.lines().collect();
    assert!(lines[0].starts_with("Sent message to "), "{told:#?}");
    assert_eq!(lines[1..3], ["hi", "= 7"], "{told:#?}");
    assert!(["idle", "exited"].contains(&lines[3]), "{told:#?}");
    assert!(lines[4].contains(" said ") && lines[5].starts_with("SOURCE"), "it names its source: {told:#?}");
    let rows = lines[6..].iter().take_while(|line| !line.starts_with("= ")).count();
    assert!(rows >= 1 && lines[6 + rows] == "= 0", "{told:#?}");
    let record: Value = serde_json::from_str(lines[7 + rows]).unwrap_or_else(|error| panic!("{error}: {told:#?}"));
    let message = &record["messages"][0];
    let receipt = &message["receipt"];
    let steps =
        ["queued_at", "handed_at", "accepted_at", "settled_at"].map(|step| receipt[step].as_str().unwrap_or_default());
    assert!(steps.is_sorted() && steps.iter().all(|at| at.ends_with('Z') && at.len() == 24), "{receipt:#}");
    let evidence = &receipt["evidence"];
    assert!(evidence["source"] == "control pipe" && evidence["detail"].is_string(), "{receipt:#}");
    assert_eq!(
        (&receipt["outcome"], &message["state"], &message["turn"]),
        (&"failed".into(), &"failed".into(), &1.into())
    );
}

/// What `kill -9` hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Runner,
    Bash,
    Group,
}

/// "`kill -9` of a runner, of bash, of the whole group: `status`, `wait` and `list` say what is known within 100 ms, and no
/// process stays."
#[test]
fn a_killed_session_is_told_by_status_wait_and_list_and_leaves_no_process() {
    for victim in [Victim::Runner, Victim::Bash, Victim::Group] {
        let world = World::new();
        let x = world.shell();
        let mut hold = Hold::new(&world, "x");
        let mut kids = world.bell("kids");
        let kid = "bash -c 'echo $$ > kids; read -r _ < gate-x'";
        begin(&world, &x, &format!("{kid} & setsid {kid} & {}", hold.script()));
        hold.await_begun();
        let [runner, bash] = processes(&world, &x);
        let kids = (0..2).filter_map(|_| Process::open(kids.line(SOON).parse().ok()?));
        let group: Vec<Process> = kids.chain(processes(&world, &x)).collect();
        assert_eq!(group.len(), 4, "runner, bash and two children: {:?}", world.processes());
        let wait = world.start(["wait", &x]);
        let exit = world.start(["watch", "--until", "exit", &x]);
        await_fact("both are connected", SOON, || streams(&world) >= 2);
        match victim {
            Victim::Runner => runner.signal(Signal::KILL),
            Victim::Bash => bash.signal(Signal::KILL),
            Victim::Group => group.iter().for_each(|member| member.signal(Signal::KILL)),
        }
        assert_eq!(wait.end().expect_code(4).stdout, "exited\n", "{victim:?}");
        assert_eq!(exit.end().expect_code(0).stdout, format!("{x} exited (exit 0)\n"), "{victim:?}");
        let told = world.adj(["status", &x]).expect_code(0);
        assert_eq!((told.word(), told.stderr.as_str()), ("exited", ""), "{victim:?}");
        assert_eq!(world.adj(["list"]).expect_code(0).stdout, "No active sessions\n");
        let all = world.adj(["--json", "list", "-a"]).expect_code(0).json();
        let (how, detail) = (&all[0]["exit"]["how"], all[0]["exit"]["detail"].as_str().unwrap_or_default());
        match victim {
            Victim::Bash => assert_eq!((how, &all[0]["exit"]["exit_code"]), (&"ended".into(), &137.into()), "{all:#}"),
            Victim::Runner | Victim::Group => assert!(how == "lost" && detail.contains("runner is gone"), "{all:#}"),
        }
        for member in [&runner, &bash].into_iter().chain(&group) {
            assert!(member.has_ended(), "{victim:?}: {} stays: {:?}", member.pid(), world.processes());
        }
    }
}

/// "README's two commands. The first: `… run --cli shell 'uname -sr && git log --oneline -1'` … prints the output and exits
/// with the command's code."
#[test]
fn the_first_command_of_the_readme_works_in_a_fresh_home() {
    let world = World::new();
    let git =
        "git init -q . && git -c user.name=a -c user.email=a@example.org commit -q --allow-empty -m 'a first commit'";
    let _ = world.inside(git).expect_code(0);
    let mut run = world.command(world.adj_path());
    run.args(["run", "--cli", "shell", "uname -sr && git log --oneline -1"]);
    run.env_remove("ADJ_HOME");
    let told = Running::start(run).end().expect_code(0);
    let lines: Vec<&str> = told.stdout.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("Linux ") && lines[1].ends_with(" a first commit"), "{told:#?}");
    assert_eq!(told.stderr, "");
    let mut stop = world.command(world.adj_path());
    stop.args(["daemon", "stop"]).env_remove("ADJ_HOME");
    let _ = Running::start(stop).end().expect_code(0);
}
