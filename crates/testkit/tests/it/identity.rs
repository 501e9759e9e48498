//! What a session may do with its own token: its descendants are its own, and nobody else is.

use adjutant_testkit::{Ended, World};

use crate::look::{Hold, begin, status, world_with_adj};

/// Runs a command of `adj` in a session, and gives what it said and how it ended.
#[track_caller]
fn within(world: &World, session: &str, command: &str) -> (i32, String) {
    let asked: Ended = world.adj(["ask", session, &format!("adj {command} 2>&1")]);
    (asked.code, asked.stdout)
}

#[track_caller]
fn refused(world: &World, session: &str, command: &str) {
    let (code, said) = within(world, session, &format!("--json {command}"));
    assert!(code == 1 && said.contains("\"code\":\"forbidden\""), "{command}: {code} {said}");
}

#[test]
fn a_session_reads_and_moves_what_is_its_own_and_nothing_else() {
    let world = world_with_adj();
    let (x, stranger) = (world.shell(), world.shell());
    world.send(&stranger, "echo a secret");
    let _ = world.adj(["wait", &stranger]).expect_code(0);
    for read in ["status", "inspect", "logs", "last-message", "wait", "queue list", "watch --since 0", "export"] {
        refused(&world, &x, &format!("{read} {stranger}"));
    }
    refused(&world, &x, &format!("list --parent {stranger}"));
    refused(&world, &x, &format!("requests --tree {stranger}"));
    for change in ["interrupt", "queue hold", "queue release", "queue remove --all", "wake"] {
        refused(&world, &x, &format!("{change} {stranger}"));
    }
    refused(&world, &x, &format!("send {stranger} 'echo x'"));
    refused(&world, &x, &format!("wake {stranger} 'echo x'"));
    refused(&world, &x, &format!("wake self 'echo x' --after {stranger}"));
    refused(&world, &x, &format!("introduce self {stranger}"));
    refused(&world, &x, &format!("create --cli shell --parent {stranger}"));
    refused(&world, &x, "daemon stop --force");
    refused(&world, &x, "gateway token list");
    refused(&world, &x, "gateway token create --mode native");
    let listed = within(&world, &x, "list -q -a");
    assert_eq!(listed, (0, format!("{x}\n")), "a list shows what is its own");
    let events = within(&world, &x, "watch --since 0 --json");
    assert!(!events.1.contains(&stranger), "{}", events.1);
    let near = within(&world, &x, &format!("status {stranger}x")).1;
    assert!(!near.contains("near"), "no name of another is offered: {near}");
    assert_eq!(status(&world, &stranger), "idle");
}

#[test]
fn a_session_sees_and_steers_its_descendants() {
    let world = world_with_adj();
    let x = world.shell();
    let (code, child) = within(&world, &x, "create -q --cli shell");
    assert_eq!(code, 0, "{child}");
    let child = child.trim();
    assert_eq!(within(&world, &x, &format!("ask {child} 'echo work'")), (0, "work\n".to_owned()));
    let grandchild = world.adj(["ask", child, "adj create -q --cli shell"]).expect_code(0).word().to_owned();
    assert_eq!(within(&world, &x, &format!("ask {grandchild} 'echo deep'")), (0, "deep\n".to_owned()));
    for read in ["status", "inspect", "logs", "last-message", "queue list"] {
        assert_eq!(within(&world, &x, &format!("{read} {grandchild}")).0, 0, "{read}");
    }
    let mut hold = Hold::new(&world, "deep");
    begin(&world, &grandchild, &hold.script());
    hold.await_begun();
    assert_eq!(within(&world, &x, &format!("interrupt {grandchild}")), (0, format!("Interrupted {grandchild}\n")));
    let listed = within(&world, &x, "list -q").1;
    assert_eq!(listed.lines().count(), 3, "{listed}");
    assert_eq!(within(&world, &x, &format!("kill {grandchild}")).0, 0);
}

#[test]
fn a_child_answers_its_parent_and_sees_what_came_of_its_own_message() {
    let world = world_with_adj();
    let x = world.adj(["create", "-q", "--cli", "shell", "-d", "what it is for"]).expect_code(0).word().to_owned();
    let child = within(&world, &x, "create -q --cli shell").1.trim().to_owned();
    let card = within(&world, &child, "status parent --json");
    let card: serde_json::Value = serde_json::from_str(&card.1).expect("it is JSON");
    assert_eq!((&card["id"], &card["description"]), (&x.as_str().into(), &serde_json::Value::Null), "{card:#}");
    refused(&world, &child, "status parent --explain");
    refused(&world, &child, "inspect parent");
    refused(&world, &child, "logs parent");
    assert_eq!(within(&world, &child, "ask parent 'echo to the child'"), (0, "to the child\n".to_owned()));
    let sent = within(&world, &child, "send -q parent 'echo more'").1;
    let sent = sent.trim();
    assert_eq!(within(&world, &child, &format!("wait -q parent --for {sent}")).0, 0);
    // What others have sent there is not its to see.
    let users = world.send(&x, "echo of the user");
    refused(&world, &child, &format!("wait parent --for {users}"));
    let who = within(&world, &child, "whoami --json").1;
    let who: serde_json::Value = serde_json::from_str(&who).expect("it is JSON");
    assert_eq!((&who["caller"], &who["parent"]), (&child.as_str().into(), &x.as_str().into()), "{who:#}");
}

#[test]
fn sessions_that_are_introduced_send_to_each_other_and_see_no_more() {
    let world = world_with_adj();
    let x = world.shell();
    let [one, other] = [(); 2].map(|()| within(&world, &x, "create -q --cli shell").1.trim().to_owned());
    refused(&world, &one, &format!("send {other} 'echo x'"));
    let (_, way_out) = within(&world, &one, &format!("send {other} 'echo x'"));
    assert!(way_out.contains(&format!("hint: adj introduce {one} {other}\n")), "{way_out}");
    let told = within(&world, &x, &format!("introduce {one} {other}"));
    assert_eq!(told, (0, format!("Introduced {one} and {other} to each other\n")));
    assert_eq!(within(&world, &one, &format!("ask {other} 'echo hello'")), (0, "hello\n".to_owned()));
    assert_eq!(within(&world, &other, &format!("ask {one} 'echo back'")), (0, "back\n".to_owned()));
    refused(&world, &one, &format!("logs {other}"));
    let who = within(&world, &one, "whoami --json").1;
    let who: serde_json::Value = serde_json::from_str(&who).expect("it is JSON");
    assert_eq!(who["introduced"], serde_json::json!([other]), "{who:#}");
    // It lasts over a restart of the daemon, and the log says the same as what is kept of it.
    let _ = world.adj(["daemon", "stop", "--force"]).expect_code(0);
    assert_eq!(within(&world, &one, &format!("send -q {other} 'echo again'")).0, 0);
    // To start another's session again, with variables of one's own, is more than to send to it.
    let _ = world.adj(["kill", &other]).expect_code(0);
    refused(&world, &one, &format!("wake {other} 'echo x'"));
    world.assert_sound();
}

#[test]
fn a_session_sees_the_projects_that_it_is_in_and_changes_none() {
    let world = world_with_adj();
    let _ = world.inside("mkdir app other").expect_code(0);
    for name in ["app", "other"] {
        let _ = world.adj(["project", "add", name]).expect_code(0);
    }
    let x = world.adj(["create", "-q", "--cli", "shell", "-p", "app"]).expect_code(0).word().to_owned();
    let listed = within(&world, &x, "--json project list").1;
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("it is JSON");
    assert_eq!(
        (&listed[0]["name"], &listed[0]["live"], &listed[1]),
        (&"app".into(), &1.into(), &serde_json::Value::Null)
    );
    refused(&world, &x, "project add .");
    refused(&world, &x, "project remove app");
    assert_eq!(world.adj(["--json", "project", "list"]).expect_code(0).json().as_array().map(Vec::len), Some(2));
}

#[test]
fn whoever_gets_a_message_may_answer_it() {
    let world = world_with_adj();
    let x = world.shell();
    let child = within(&world, &x, "create -q --cli shell").1.trim().to_owned();
    let grandchild = within(&world, &child, "create -q --cli shell").1.trim().to_owned();
    refused(&world, &grandchild, &format!("send {x} 'echo x'"));
    assert_eq!(within(&world, &x, &format!("ask {grandchild} 'echo question'")), (0, "question\n".to_owned()));
    assert_eq!(within(&world, &grandchild, &format!("send -q {x} 'echo answer'")).0, 0);
    let _ = world.adj(["wait", &x]).expect_code(0);
    assert_eq!(world.adj(["last-message", &x]).expect_code(0).stdout, "answer\n");
}

#[test]
fn a_key_of_a_create_is_its_callers_alone() {
    let world = world_with_adj();
    let users = world.adj(["create", "-q", "--cli", "shell", "--key", "k"]).expect_code(0).word().to_owned();
    let x = world.shell();
    let created = || within(&world, &x, "create -q --cli shell --key k");
    let (code, own) = created();
    assert!(code == 0 && own.trim() != users, "{own}");
    assert_eq!(created(), (0, own), "for itself it is the same create");
    let again = world.adj(["create", "-q", "--cli", "shell", "--key", "k"]).expect_code(0);
    assert_eq!(again.word(), users);
}

#[test]
fn a_wait_for_ones_own_message_tells_of_nothing_else() {
    let world = world_with_adj();
    let x = world.shell();
    let child = within(&world, &x, "create -q --cli shell").1.trim().to_owned();
    let _ = world.adj(["ask", &x, "echo of-the-user"]).expect_code(0);
    world.send(&x, "read -rp 'a question of the user? ' a");
    let _ = world.adj(["wait", &x]).expect_code(3);
    let sent = within(&world, &child, "send -q parent 'echo mine'").1.trim().to_owned();
    let waits = within(&world, &child, &format!("wait parent --for {sent} --json"));
    let told: serde_json::Value = serde_json::from_str(&waits.1).expect("it is JSON");
    assert_eq!((waits.0, &told["outcome"]), (3, &"waiting_for_input".into()), "{told:#}");
    assert_eq!((&told["turn"], &told["pending"]), (&serde_json::Value::Null, &serde_json::json!([])), "{told:#}");
    // Nor does a cursor that says that something else is waited for.
    let secret = within(&world, &child, "whoami >/dev/null; echo $ADJ_SESSION_TOKEN").1.trim().to_owned();
    let uuid = world.adj(["inspect", &x]).expect_code(0).json()["uuid"].as_str().expect("a text").to_owned();
    let open = serde_json::json!({"session": uuid, "turn": 1, "messages": [], "next_turn": false, "readiness": false,
        "through_input": true, "ended": null});
    let cursor = serde_json::json!({"seq": 0, "open": [open], "unread": [], "done": 0});
    let headers = [&format!("authorization: Bearer {secret}"), &format!("last-event-id: {cursor}")];
    let path = format!("/v1/wait?session={x}&for={sent}&through_input=true&timeout_ms=1");
    let running = crate::look::streamed(&world, &format!("{path}&running=true"), &headers.map(String::as_str));
    assert!(running.contains("forbidden"), "{running}");
    let told = crate::look::streamed(&world, &path, &headers.map(String::as_str));
    assert!(told.contains("timeout") && !told.contains("of-the-user"), "{told}");
    let _ = world.adj(["respond", &x, "--message", "x"]).expect_code(0);
    let told =
        crate::look::streamed(&world, &path.replace("timeout_ms=1", "timeout_ms=60000"), &headers.map(String::as_str));
    assert!(told.contains("mine") && !told.contains("of-the-user"), "{told}");
}

#[test]
fn h14_nobody_puts_words_into_a_message_of_somebody_elses() {
    let world = world_with_adj();
    let x = world.shell();
    let child = within(&world, &x, "create -q --cli shell").1.trim().to_owned();
    let users = world.adj(["wake", "-q", &child, "echo of the user", "--delay", "1h"]).expect_code(0).word().to_owned();
    let own = within(&world, &x, &format!("wake -q {child} 'echo mine' --delay 1h")).1.trim().to_owned();
    refused(&world, &x, &format!("queue edit {child} {users} 'echo forged'"));
    assert_eq!(within(&world, &x, &format!("queue edit {child} {users} --delay 2h")).0, 0, "it may steer when");
    assert_eq!(within(&world, &x, &format!("queue edit {child} {own} 'echo changed'")).0, 0);
    let kept = world.adj(["--json", "queue", "list", &child]).expect_code(0).stdout;
    assert!(kept.contains("of the user") && kept.contains("echo changed") && !kept.contains("forged"), "{kept}");
}
