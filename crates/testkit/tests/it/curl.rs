//! The API by `curl` alone: a session is started, followed, woken and waited for without a client of ours.

use std::process::Command;

use adjutant_testkit::{Ended, Running, World};
use serde_json::{Value, json};

use crate::SOON;

fn curl(world: &World, path: &str) -> Command {
    let mut command = world.command("curl");
    command.args(["--silent", "--show-error", "--no-buffer", "--max-time", "60"]);
    command.arg("--unix-socket").arg(world.socket()).arg(format!("http://localhost{path}"));
    command
}

fn post(world: &World, path: &str, body: &Value) -> Value {
    let mut command = curl(world, path);
    command.args(["--fail-with-body", "-H", "content-type: application/json", "--data"]).arg(body.to_string());
    Running::start(command).end().expect_code(0).json()
}

fn get(world: &World, path: &str) -> Ended {
    Running::start(curl(world, path)).end().expect_code(0)
}

/// The records of a stream of events, with the cursor of the last.
fn records(stream: &str) -> (Vec<Value>, Option<&str>) {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    let last = stream.lines().filter_map(|line| line.strip_prefix("id: ")).next_back();
    (data.map(|json| serde_json::from_str(json).expect("each is JSON")).collect(), last)
}

/// The types of the events in a stream; that it is alive is no event.
fn types(stream: &str) -> Vec<String> {
    let events = records(stream).0.into_iter().filter(|record| record["type"] == "event");
    events.map(|record| record["event"]["type"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn curl_starts_follows_wakes_and_waits() {
    let world = World::new();
    let _daemon = world.start_daemon(&[]);
    let work = world.work();
    let new = json!({ "cli": "shell", "path": work, "environment": { "PATH": std::env::var("PATH").unwrap() } });
    let session = post(&world, "/v1/sessions", &new)["id"].as_str().expect("it has a name").to_owned();
    let follower = Running::start(curl(&world, &format!("/v1/events?session={session}&since=0&follow=true")));
    follower.await_stdout("what has been is told", SOON, |told| types(told).contains(&"session.ready".to_owned()));
    let woken =
        post(&world, &format!("/v1/sessions/{session}/wake"), &json!({ "text": "echo up; exit 3", "delay_ms": 200 }));
    assert_eq!((&woken["state"], &woken["delayed"]), (&"queued".into(), &true.into()), "{woken:#}");
    let waited = get(&world, &format!("/v1/wait?session={session}&include_delayed=true&timeout_ms=30000"));
    let result = records(&waited.stdout).0.pop().expect("the last record is the result");
    assert_eq!(result["type"], "result", "{result:#}");
    let result = &result["results"][0];
    assert_eq!(
        (&result["outcome"], &result["exit_code"], &result["answer"]),
        (&"failed".into(), &3.into(), &"up".into())
    );
    follower.await_stdout("its end is told", SOON, |told| types(told).contains(&"session.exited".to_owned()));
    // A stream is taken up behind any cursor that was seen in it, without a gap and without a double.
    let all = follower.stdout_so_far();
    let half: String = all.split_inclusive("\n\n").take(3).collect();
    let cursor = records(&half).1.expect("each event has its cursor").to_owned();
    let mut again = curl(&world, &format!("/v1/events?session={session}&follow=true"));
    again.arg("-H").arg(format!("Last-Event-ID: {cursor}"));
    let again = Running::start(again);
    let rest = types(&all).split_off(types(&half).len());
    again.await_stdout("the rest comes again", SOON, |told| types(told).len() >= rest.len());
    assert_eq!(types(&again.stdout_so_far()), rest);
    let answers = get(&world, &format!("/v1/sessions/{session}/answers")).json();
    assert_eq!(answers[0]["text"], "up", "{answers:#}");
}

#[test]
fn curl_needs_no_more_than_an_agent_and_a_directory() {
    let world = World::new();
    let _daemon = world.start_daemon(&[]);
    let session = post(&world, "/v1/sessions", &json!({ "cli": "shell", "path": world.work() }));
    let session = session["id"].as_str().expect("it has a name").to_owned();
    let ended = world.adj(["ask", &session, "echo \"${ADJ_TESTPOINT_KILL-none} $HOME\""]).expect_code(0);
    assert!(ended.stdout.starts_with("none /"), "{ended:#?}");
    let mut without = curl(&world, "/v1/sessions");
    let body = json!({ "cli": "shell", "path": world.work(), "environment": { "LANG": "C" } });
    without.args(["-H", "content-type: application/json", "--data"]).arg(body.to_string());
    let refused = Running::start(without).end().expect_code(0).json();
    assert_eq!(refused["error"]["code"], "env_invalid", "{refused:#}");
    assert!(refused["error"]["message"].as_str().is_some_and(|text| text.contains("no `PATH`")), "{refused:#}");
}

#[test]
fn what_has_been_is_read_in_the_form_that_is_asked_for() {
    let world = World::new();
    let x = world.shell();
    let _ = world.adj(["ask", &x, "true"]).expect_code(0);
    let path = format!("/v1/events?session={x}&since=0&types=turn.started,turn.completed");
    let types =
        |events: &[Value]| events.iter().map(|event| event["type"].as_str().map(str::to_owned)).collect::<Vec<_>>();
    let expected = ["turn.started", "turn.completed"].map(|word| Some(word.to_owned()));
    let array = get(&world, &path).json();
    assert_eq!(types(array.as_array().expect("an array")), expected);
    let mut lines = curl(&world, &path);
    lines.args(["-H", "accept: application/x-ndjson"]);
    let lines = Running::start(lines).end().expect_code(0).stdout;
    let records: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(records.iter().all(|record| record["type"] == "event"), "{lines}");
    assert_eq!(types(&records.iter().map(|record| record["event"].clone()).collect::<Vec<_>>()), expected);
    for follow in ["", "&follow=true"] {
        let future = get(&world, &format!("/v1/events?since=99999{follow}")).json();
        assert_eq!(future["error"]["code"], "usage", "{future:#}");
        assert!(future["error"]["details"]["last"].as_u64().is_some_and(|last| last < 99_999), "{future:#}");
    }
}
