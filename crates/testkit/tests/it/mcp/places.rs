//! The tools where the daemon is elsewhere: outside of the container that the server runs in, and on another machine.

use adjutant_testkit::{OtherHost, World};
use serde_json::{Value, json};

use super::client::Client;
use crate::gateway::{Gate, token};

/// A whole life of a session by tools; gives its record.
#[track_caller]
fn life(client: &mut Client, path: &str, says: &str) -> Value {
    let created = client.call("create", json!({"cli": "shell", "path": path}));
    let session = created["result"]["id"].as_str().unwrap_or_else(|| panic!("no session: {created:#}")).to_owned();
    let _ = client.call("send", json!({"id": session, "text": "pwd"}));
    assert_eq!(client.call("wait", json!({"session": [session]}))["exit"], 0);
    let said = client.call("last-message", json!({"id": session}));
    assert_eq!(said["result"][0]["text"], says, "{said:#}");
    assert_eq!(client.call("kill", json!({"ids": [session]}))["exit"], 0);
    created["result"].clone()
}

#[test]
fn from_inside_of_a_container_paths_are_translated_both_ways() {
    let world = World::new();
    std::fs::create_dir(world.work().join("sub")).expect("a directory in the world");
    let work = world.work().canonicalize().expect("it is there");
    let socket = world.root().join("gate.sock").display().to_string();
    let _gate = Gate::with(&world, &["--socket", &socket]);
    // The container's name of the same directory: a link is resolved in the container, so it is mapped as it is.
    let mut server = world.adj_command(["mcp"]);
    server.env("ADJ_SANDBOX", "1").env("ADJ_GATEWAY_URL", format!("unix:{socket}")).env_remove("ADJ_HOME");
    server.env("ADJ_GATEWAY_TOKEN", token(&world, &["--mode", "native"])).current_dir(&work);
    server.env("ADJ_CONTAINER_WORKSPACE", &work).env("ADJ_HOST_PATH", &work);
    let mut client = Client::of(server);
    let inside = work.join("sub").display().to_string();
    let created = life(&mut client, "sub", &inside);
    assert_eq!((&created["path"], &created["host_path"]), (&json!(inside), &json!(inside)), "{created:#}");
    let refused = client.call("create", json!({"cli": "shell", "path": "/etc"}));
    assert_eq!((&refused["exit"], &refused["error"]["code"]), (&json!(2), &json!("path_not_translatable")));
    client.leave();
}

#[test]
fn of_another_machine_sessions_are_there_with_its_paths() {
    let host = OtherHost::start();
    let mut client = Client::of(host.near().adj_command(["--host", "box", "mcp"]));
    let home = host.far().root().join("home");
    std::fs::create_dir(home.join("app")).expect("a directory in the world");
    let created = life(&mut client, "app", &home.join("app").display().to_string());
    assert_eq!(created["host"], "box", "{created:#}");
    assert_eq!(host.near().daemon_pid(), None, "none was needed here");
    client.leave();
}
