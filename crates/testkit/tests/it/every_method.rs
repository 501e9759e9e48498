//! Every method of the table, called by those who have nothing to do with what they name: a token of the gateway, a session of
//! somebody else's, and a child towards its parent. What is not theirs is told to none of them, and nothing of it changes.
//!
//! The methods are taken from the daemon's own document, so that one which nobody has thought of here fails the test.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use adjutant_testkit::World;
use serde_json::{Value, json};

use crate::SOON;
use crate::gateway::{Gate, answer, created, shell_in, token};
use crate::look::{http, world_with_adj};

/// What stands in everything that is not the callers' to hear.
const MARK: &str = "foreign-mark";

/// What is expected of a call.
#[derive(Clone, Copy, PartialEq)]
enum Told {
    /// It is refused, because it is about somebody else's.
    Refused,
    /// Whatever is answered, nothing of it is somebody else's.
    NothingForeign,
}
use Told::{NothingForeign, Refused};

/// What a refusal for that reason is called: whoever asks in a wrong way learns nothing here either, and shows nothing.
const REFUSALS: [&str; 3] = ["forbidden", "message_not_found", "id_in_use"];

/// One call: what is expected, its path with its query, its body, a further header.
struct Try {
    told: Told,
    path: String,
    body: String,
    header: &'static str,
}

fn attempt(told: Told, path: impl Into<String>, body: Value) -> Try {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    Try { told, path: path.into(), body, header: "accept: */*" }
}

/// What belongs to somebody else.
struct Prey {
    /// Sessions by every name that they have: one that works, its child, one that has ended, one in a tree of its own.
    names: Vec<String>,
    uuid: String,
    queued: String,
    request: String,
    workspace: String,
}

impl Prey {
    fn new(world: &World) -> Self {
        let script = format!(
            "mkdir {MARK} sub && git init -q -b main {MARK}/app && cd {MARK}/app && git config user.name t &&
             git config user.email t@t && echo {MARK} > file && git add . && git commit -qm {MARK}"
        );
        let _ = world.inside(&script).expect_code(0);
        let _ = world.adj(["project", "add", MARK, "--name", MARK]).expect_code(0);
        let create = ["create", "-q", "--cli", "shell", "-d", MARK];
        let create = |more: &[&str]| world.adj([&create[..], more].concat()).expect_code(0).word().to_owned();
        let names =
            [create(&["-p", MARK, "--id", "prey-one", "--key", MARK]), create(&["-p", MARK, "--id", "prey-gone"])];
        let kid = format!("adj create -q --cli shell --id prey-kid -d {MARK}");
        let kid = world.adj(["ask", "prey-one", &kid]).expect_code(0).word().to_owned();
        for name in &names {
            let _ = world.adj(["ask", name, &format!("echo {MARK}")]).expect_code(0);
        }
        let _ = world.adj(["kill", "prey-gone"]).expect_code(0);
        let app = format!("{MARK}/app");
        let tree = ["--workspace", "isolated", "--id", "prey-tree", "-p", &app];
        let tree = create(&tree);
        world.send("prey-one", &format!("read -rp '{MARK}? ' x"));
        let waited = world.adj(["--json", "wait", "prey-one"]).expect_code(3).json();
        let queued = world.send("prey-one", &format!("echo {MARK}"));
        let uuid =
            world.adj(["inspect", "prey-one"]).expect_code(0).json()["uuid"].as_str().expect("a text").to_owned();
        let trees = world.adj(["--json", "workspace", "list"]).expect_code(0).json();
        let _ = token(world, &["--label", MARK]);
        Self {
            names: names.into_iter().chain([kid, tree, uuid.clone()]).collect(),
            uuid,
            queued,
            request: waited["pending"][0]["id"].as_str().expect("it is asked").to_owned(),
            workspace: trees[0]["id"].as_str().expect("a tree was made").to_owned(),
        }
    }

    /// All that could be changed of it, as its owner sees it.
    fn state(&self, world: &World) -> Vec<Value> {
        let events = self.names.iter().map(|name| format!("/v1/events?since=0&session={name}"));
        let lists = ["projects", "workspaces", "requests", "gateway/tokens"].map(|list| format!("/v1/{list}"));
        let seen = |path: String| {
            let (status, mut told) = http(world, "GET", &path, &[], b"");
            assert_eq!(status, 200, "{path}: {told:#}");
            // Sessions of the callers come and go.
            for token in told.as_array_mut().into_iter().flatten() {
                token.as_object_mut().and_then(|token| token.remove("sessions_live"));
            }
            told
        };
        events.chain(lists).map(seen).collect()
    }

    /// What a method is tried with; `own` is a session of the caller's.
    fn tries(&self, method: &str, world: &World, own: &str) -> Vec<Try> {
        let (queued, request, tree) = (&self.queued, &self.request, &self.workspace);
        let each = |part: &str, body: Value| -> Vec<Try> {
            let path = |name: &String| format!("/v1/sessions/{name}{part}");
            self.names.iter().map(|name| attempt(Refused, path(name), body.clone())).collect()
        };
        let plain = |path: &str| vec![attempt(NothingForeign, path, Value::Null)];
        let of_each = |query: &str| -> Vec<Try> {
            self.names.iter().map(|name| attempt(Refused, format!("{query}{name}"), Value::Null)).collect()
        };
        let with = |mut tries: Vec<Try>, more: Vec<Try>| {
            tries.extend(more);
            tries
        };
        let message = |more: &str, body: Value| {
            let of_its_own = format!("/v1/sessions/{own}/messages/{queued}{more}");
            with(each(&format!("/messages/{queued}{more}"), body.clone()), vec![attempt(Refused, of_its_own, body)])
        };
        let sub = world.work().join("sub");
        match method {
            "health" => plain("/v1/health"),
            "openapi" => plain("/v1/openapi.json"),
            "daemon.status" => plain("/v1/daemon"),
            "daemon.check" => vec![attempt(NothingForeign, "/v1/daemon/check", json!({}))],
            "daemon.stop" => vec![attempt(Refused, "/v1/daemon/stop", json!({"force": true}))],
            "whoami" => plain("/v1/whoami"),
            "list" => [
                plain("/v1/sessions?all=true"),
                plain(&format!("/v1/sessions?all=true&project={MARK}")),
                of_each("/v1/sessions?all=true&parent="),
                of_each("/v1/sessions?all=true&tree="),
            ]
            .into_iter()
            .flatten()
            .collect(),
            "create" => {
                let create = |told, more: Value| {
                    let mut body = json!({"cli": "shell", "path": sub, "no_wait": true});
                    body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
                    attempt(told, "/v1/sessions", body)
                };
                let parents = self.names.iter().map(|name| create(Refused, json!({"parent": name})));
                parents
                    .chain([create(NothingForeign, json!({"key": MARK})), create(Refused, json!({"id": "prey-one"}))])
                    .collect()
            }
            "kill" => {
                let kill = |body: Value| attempt(NothingForeign, "/v1/sessions/kill", body);
                let one = |name: &String| {
                    let ids = json!([name]);
                    [
                        kill(json!({"ids": ids, "force": true, "purge": true})),
                        kill(json!({"ids": ids, "tree": true})),
                        kill(json!({"ids": [name, "nobody-top"]})),
                    ]
                };
                self.names.iter().flat_map(one).chain([kill(json!({"older_than_ms": 0}))]).collect()
            }
            "status" => with(each("", Value::Null), plain(&format!("/v1/sessions/{}", &self.uuid[..23]))),
            "explain" => each("/explain", Value::Null),
            "inspect" => each("/inspect", Value::Null),
            "queue.list" => each("/messages?all=true", Value::Null),
            "send" => with(
                each("/messages", json!({"text": "echo x", "steer": true})),
                with(
                    each("/messages", json!({"text": "echo x"})),
                    vec![attempt(
                        NothingForeign,
                        format!("/v1/sessions/{own}/messages"),
                        json!({"text": "true", "reply_to": queued}),
                    )],
                ),
            ),
            "queue.clear" => each("/messages", Value::Null),
            "wake" => {
                let after = |name: &String| {
                    attempt(Refused, format!("/v1/sessions/{own}/wake"), json!({"text": "true", "after": [name]}))
                };
                let after = self.names.iter().chain([queued]).map(after).collect();
                with(each("/wake", json!({})), with(each("/wake", json!({"text": "echo x"})), after))
            }
            "queue.show" => message("", Value::Null),
            "queue.edit" => message("", json!({"now": true})),
            "queue.remove" => message("", Value::Null),
            "queue.retry" => message("/retry", Value::Null),
            "queue.hold" => each("/hold", Value::Null),
            "queue.release" => each("/release", Value::Null),
            "interrupt" => each("/interrupt", json!({"clear_queue": true})),
            "goal.show" => each("/goal", Value::Null),
            "goal.set" => each("/goal", json!({"clear": true})),
            "last-message" => each("/answers?full=true", Value::Null),
            "turns" => each("/turns", Value::Null),
            "logs" => each("/log?tools=true", Value::Null),
            "attach" => {
                let header = "connection: upgrade\r\nupgrade: adj-terminal";
                each("/terminal", Value::Null).into_iter().map(|one| Try { header, ..one }).collect()
            }
            "attach.how" => each("/attach", Value::Null),
            "hook" => vec![attempt(
                NothingForeign,
                "/v1/hooks",
                json!({"event": "Stop", "payload": {"session_id": self.uuid}}),
            )],
            "requests" => {
                with(plain("/v1/requests"), with(of_each("/v1/requests?session="), of_each("/v1/requests?tree=")))
            }
            "respond" => [json!({"text": "x"}), json!({"decision": "allow"}), json!({"decision": "dismiss"})]
                .map(|body| attempt(Refused, format!("/v1/requests/{request}/answer"), body))
                .into(),
            "wait" => {
                let cursor = "last-event-id: {\"seq\":0,\"open\":[],\"unread\":[],\"done\":0}";
                let resumed = of_each("/v1/wait?session=").into_iter().map(|one| Try { header: cursor, ..one });
                [
                    of_each("/v1/wait?session="),
                    of_each(&format!("/v1/wait?session={own}&session=")),
                    of_each(&format!("/v1/wait?for={queued}&session=")),
                    of_each("/v1/wait?running=true&session="),
                    vec![attempt(Refused, format!("/v1/wait?for={queued}&session={own}"), Value::Null)],
                    resumed.collect(),
                ]
                .into_iter()
                .flatten()
                .collect()
            }
            "watch" => [
                plain("/v1/events?since=0"),
                plain("/v1/events?tail=1000"),
                of_each("/v1/events?since=0&session="),
                of_each("/v1/events?follow=true&session="),
            ]
            .into_iter()
            .flatten()
            .collect(),
            "project.list" => plain("/v1/projects"),
            "project.add" => vec![attempt(Refused, "/v1/projects", json!({"path": sub, "name": "mine"}))],
            "project.remove" => vec![attempt(Refused, format!("/v1/projects/{MARK}"), Value::Null)],
            "workspace.list" => plain("/v1/workspaces"),
            "workspace.diff" => [tree.as_str(), "prey-tree"]
                .map(|of| attempt(Refused, format!("/v1/workspaces/{of}/diff?patch=true"), Value::Null))
                .into(),
            "workspace.land" => [tree.as_str(), "prey-tree"]
                .map(|of| attempt(Refused, format!("/v1/workspaces/{of}/land"), json!({})))
                .into(),
            "workspace.clean" => {
                let clean = |told, body| attempt(told, "/v1/workspaces/clean", body);
                let named = [tree.as_str(), "prey-tree"].map(|of| clean(Refused, json!({"ids": [of]})));
                let forced = clean(Refused, json!({"ids": [tree], "force": true, "reason": "x"}));
                named.into_iter().chain([forced, clean(NothingForeign, json!({"all": true}))]).collect()
            }
            "introduce" => {
                let to = |name: &String| attempt(Refused, format!("/v1/sessions/{own}/introduce"), json!({"to": name}));
                with(each("/introduce", json!({"to": own})), self.names.iter().map(to).collect())
            }
            "gateway.token.list" => vec![attempt(Refused, "/v1/gateway/tokens", Value::Null)],
            "gateway.token.create" => {
                vec![attempt(Refused, "/v1/gateway/tokens", json!({"roots": [sub], "modes": ["native"]}))]
            }
            "gateway.token.revoke" => vec![attempt(Refused, "/v1/gateway/tokens/t1", Value::Null)],
            other => panic!("nobody has tried yet what a stranger can do with `{other}`"),
        }
    }
}

/// The methods of the daemon's own document: name, verb.
fn methods(world: &World) -> Vec<(String, String)> {
    let (_, document) = http(world, "GET", "/v1/openapi.json", &[], b"");
    let paths = document["paths"].as_object().expect("a document has paths");
    let of_path = |verbs: &Value| {
        let verbs = verbs.as_object().expect("a path has verbs").clone();
        verbs.into_iter().map(|(verb, method)| {
            (method["operationId"].as_str().expect("a method has a name").to_owned(), verb.to_uppercase())
        })
    };
    let found: Vec<(String, String)> = paths.values().flat_map(of_path).collect();
    assert!(found.len() > 40, "{found:?}");
    found
}

/// Somebody who calls: by what, with what token, and with which session of their own.
struct Caller<'a> {
    who: &'static str,
    gate: Option<&'a Gate>,
    token: String,
    own: String,
    /// Its parent, which is one of the prey, and the methods with which it may call that.
    parent: Option<(&'static str, [&'static str; 3])>,
}

impl Caller<'_> {
    /// The status of the answer, and its text.
    fn call(&self, world: &World, verb: &str, one: &Try) -> (u16, Value) {
        let head = format!(
            "{verb} {} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{}\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n{}",
            one.path,
            one.header,
            self.token,
            one.body.len(),
            one.body
        );
        match self.gate {
            Some(gate) => say(gate.connect(), &head),
            None => {
                let stream = UnixStream::connect(world.socket()).expect("the daemon listens");
                stream.set_read_timeout(Some(SOON)).expect("a socket has a timeout");
                say(stream, &head)
            }
        }
    }

    fn attack(&self, world: &World, prey: &Prey) {
        let before = prey.state(world);
        for (method, verb) in methods(world) {
            for one in prey.tries(&method, world, &self.own) {
                if self.parent.is_some_and(|(name, may)| may.contains(&method.as_str()) && one.path.contains(name)) {
                    continue;
                }
                let (status, told) = self.call(world, &verb, &one);
                let shown = format!("{} {verb} {} {}: {status} {told:#}", self.who, one.path, one.body);
                let word = told["error"]["code"].as_str().unwrap_or_default();
                assert!(one.told != Refused || REFUSALS.contains(&word), "{shown}");
                assert!(status != 0 && word != "internal", "{shown}");
                let (said, asked) = (told.to_string(), format!("{} {}", one.path, one.body));
                let is_known = |secret: &str| {
                    let parents = self.parent.is_some_and(|(name, _)| name == secret);
                    parents || asked.contains(secret) || asked.contains(&prey.uuid)
                };
                for secret in [MARK, "prey-one", "prey-kid", "prey-tree", "prey-gone"] {
                    assert!(is_known(secret) || !said.contains(secret), "`{secret}`: {shown}");
                }
            }
        }
        assert_eq!(prey.state(world), before, "{}", self.who);
    }
}

fn say(mut stream: impl Read + Write, head: &str) -> (u16, Value) {
    stream.write_all(head.as_bytes()).expect("somebody reads");
    answer(stream)
}

#[test]
fn every_method_tells_and_changes_nothing_of_somebody_elses() {
    let world = world_with_adj();
    let prey = Prey::new(&world);
    let gate = Gate::new(&world);
    let sub = world.work().join("sub");
    let narrow = token(&world, &["--mode", "native", "--root", sub.to_str().expect("a path is text")]);
    let own = created(&gate.call(&narrow, "POST", "/v1/sessions", &shell_in(&sub)));
    let spy = world.adj(["create", "-q", "--cli", "shell", "-p", "sub", "--id", "spy-one"]).expect_code(0);
    let child = format!("adj create -q --cli shell --id spy-child -p {}", sub.display());
    let child = world.adj(["ask", "prey-tree", &child]).expect_code(0);
    let (spy, child) = (spy.word().to_owned(), child.word().to_owned());
    let secret = |id: &str| world.adj(["ask", id, "echo $ADJ_SESSION_TOKEN"]).expect_code(0).word().to_owned();
    let callers = [
        Caller { who: "a token", gate: Some(&gate), token: narrow, own, parent: None },
        Caller { who: "a session", gate: None, token: secret(&spy), own: spy, parent: None },
        Caller {
            who: "a child",
            gate: None,
            token: secret(&child),
            own: child,
            parent: Some(("prey-tree", ["status", "send", "wake"])),
        },
    ];
    callers.iter().for_each(|caller| caller.attack(&world, &prey));
    world.assert_sound();
}
