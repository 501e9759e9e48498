//! What an agent without a shell does with the tools.

use adjutant_testkit::World;
use serde_json::{Value, json};

use super::client::Client;

fn world() -> World {
    World::new().with_variable("ADJ_CLI", "shell")
}

#[test]
fn the_whole_life_of_a_session() {
    let world = world();
    let mut client = Client::start(&world);
    let created = client.call("create", json!({"description": "from a tool", "env": {"WHO": "me"}}));
    let session = created["result"]["id"].as_str().expect("an id").to_owned();
    assert_eq!(created["result"]["path"], world.work().canonicalize().expect("it is there").display().to_string());
    let sent = client.call("send", json!({"id": session, "text": "echo \"$WHO in $PWD\"; exit 0"}));
    let message = sent["result"]["id"].clone();
    let waited = client.call("wait", json!({"session": [session], "for": message}));
    assert_eq!((&waited["exit"], &waited["result"]["results"][0]["outcome"]), (&json!(0), &json!("completed")));
    let answers = client.call("last-message", json!({"id": session}));
    assert!(answers["result"][0]["text"].as_str().expect("a text").starts_with("me in /"), "{answers:#}");
    let killed = client.call("kill", json!({"ids": [session]}));
    assert_eq!((&killed["exit"], &killed["result"][0]["killed"]), (&json!(0), &json!(true)), "{killed:#}");
    client.leave();
}

#[test]
fn the_exit_code_is_told_as_the_command_line_tells_it() {
    let world = world();
    let mut client = Client::start(&world);
    let x = world.shell();
    let _ = world.adj(["ask", &x, "(exit 7)"]).expect_code(7);
    assert_eq!(client.call("wait", json!({"session": [x]}))["exit"], 7);
    let bell = world.bell("go");
    world.send(&x, "read -r _ < go");
    let timed_out = client.call("wait", json!({"session": [x], "timeout_ms": 10}));
    assert_eq!((&timed_out["exit"], &timed_out["error"]), (&json!(124), &Value::Null), "{timed_out:#}");
    bell.release(1);
    assert_eq!(client.call("wait", json!({"session": [x]}))["exit"], 0);
    world.send(&x, "read -r answer");
    let asks = client.call("wait", json!({"session": [x]}));
    assert_eq!(asks["exit"], 3, "{asks:#}");
    let request = asks["result"]["results"][0]["pending"][0]["id"].clone();
    let _ = client.call("respond", json!({"r": request, "text": "yes"}));
    assert_eq!(client.call("wait", json!({"session": [x]}))["exit"], 0);
    client.leave();
}

#[test]
fn a_refusal_has_its_code_and_what_helps() {
    let world = world();
    let mut client = Client::start(&world);
    let gone = client.call("status", json!({"id": "fizz-top"}));
    let error = &gone["error"];
    assert_eq!(
        (&gone["exit"], &error["code"], &error["hint"]),
        (&json!(4), &json!("session_not_found"), &json!("adj list -a"))
    );
    for (tool, arguments) in [
        ("status", json!({})),
        ("send", json!({"id": "fizz-top", "text": "x", "file": "/etc/hostname"})),
        ("wait", json!({"session": ["fizz-top"], "timeout_ms": 600_001})),
        ("create", json!({"environment": {"PATH": "/x"}})),
    ] {
        let refused = client.call(tool, arguments);
        assert_eq!((&refused["exit"], &refused["error"]["code"]), (&json!(2), &json!("usage")), "{tool}: {refused:#}");
    }
    assert_eq!(client.call("kill", json!({"ids": ["--all"]}))["exit"], 2);
    let unknown = client.request("tools/call", &json!({"name": "daemon_stop", "arguments": {}}));
    assert_eq!(unknown["error"]["code"], -32602, "{unknown:#}");
    client.leave();
}

#[test]
fn the_tools_are_those_of_the_table() {
    let world = world();
    let mut client = Client::start(&world);
    let document = world.adj(["dev", "openapi"]).expect_code(0).json();
    let paths = document["paths"].as_object().expect("paths").values();
    let operations: Vec<&Value> = paths.flat_map(|path| path.as_object().expect("verbs").values()).collect();
    let listed = client.request("tools/list", &json!({}));
    let tools = listed["result"]["tools"].as_array().expect("tools").clone();
    assert!(tools.len() > 30, "{}", tools.len());
    for tool in tools {
        let of_tool = |one: &&&Value| {
            one["operationId"].as_str().map(|id| id.replace('.', "_")).as_deref() == tool["name"].as_str()
        };
        let operation = operations.iter().find(of_tool).unwrap_or_else(|| panic!("no method: {tool:#}"));
        assert_eq!(tool["description"], operation["summary"]);
        assert_eq!(tool["annotations"]["readOnlyHint"], operation["x-scope"] == "read");
    }
    client.leave();
}

#[test]
fn a_session_calls_as_itself() {
    let world = world();
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params":
        {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}});
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let ask = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "whoami", "arguments": {}}});
    std::fs::write(world.work().join("in"), format!("{hello}\n{ready}\n{ask}\n")).expect("a file in the world");
    let x = world.shell();
    // The pipe stays open until the second answer is there: a client that goes away takes its calls along.
    let script = "mkfifo p; adj mcp < p > out & exec 9> p; cat in >&9; tail -n +1 -f out | grep -q -m1 '\"id\":2'; exec 9>&-; wait $!; cat out";
    let said = world.adj(["ask", &x, script]).expect_code(0).stdout;
    assert!(said.contains(&format!("\\\"caller\\\":\\\"{x}\\\"")), "{said}");
}
