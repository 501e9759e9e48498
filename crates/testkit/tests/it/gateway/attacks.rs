//! What is tried against the gateway, and that none of it gets through.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use adjutant_testkit::{World, await_fact};
use serde_json::{Value, json};

use super::{Gate, answer, code, created, shell_in, token};
use crate::SOON;
use crate::look::{messages, status};

/// Connections of the one who would like to keep all others out.
const FLOOD: usize = 10_000;

/// What a caller might take for an option, a path, a variable or a command.
const HOSTILE: [&str; 14] = [
    "--all",
    "--help",
    "-f/etc/hostname",
    "--",
    "../../etc/passwd",
    "..%2F..%2Fetc%2Fpasswd",
    "/etc/passwd",
    "$(touch pwned)",
    "`touch pwned`",
    "; touch pwned",
    "a b",
    "x\u{7f}y",
    "all",
    "x:y",
];

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[test]
fn h3_g7_no_id_is_a_word_of_the_command_line_or_a_path() {
    let world = World::new();
    let users = world.shell();
    let gate = Gate::new(&world);
    let t = token(&world, &["--mode", "native"]);
    let id = created(&gate.call(&t, "POST", "/v1/sessions", &shell_in(&world.work())));
    let before = world.inside("find . -type f | wc -l").stdout;
    for text in HOSTILE {
        let word = escaped(text);
        let paths = [
            ("GET", format!("/v1/sessions/{word}")),
            ("GET", format!("/v1/sessions/{word}/log")),
            ("GET", format!("/v1/sessions/{id}/messages/{word}")),
            ("POST", format!("/v1/sessions/{word}/messages")),
            ("DELETE", format!("/v1/sessions/{word}/messages")),
            ("POST", format!("/v1/requests/{word}/answer")),
            ("GET", format!("/v1/wait?session={word}")),
            ("GET", format!("/v1/events?session={word}")),
            ("GET", format!("/v1/workspaces/{word}/diff")),
        ];
        for (verb, path) in paths {
            let refused = gate.call(&t, verb, &path, r#"{"text":"echo x"}"#);
            assert!([400, 403, 404].contains(&refused.0), "{verb} {path}: {:#}", refused.1);
            assert!(refused.1["error"]["message"].is_string(), "{verb} {path}: {:#}", refused.1);
        }
        let killed = gate.call(&t, "POST", "/v1/sessions/kill", &json!({"ids": [text]}).to_string());
        assert!([400, 404].contains(&killed.0), "{text}: {:#}", killed.1);
    }
    assert_eq!((status(&world, &users), status(&world, &id)), ("idle".to_owned(), "idle".to_owned()));
    assert_eq!(world.inside("find . -type f | wc -l").stdout, before, "nothing was written");
}

/// Every text that a caller can say somewhere stays a text: no option, no path, no command comes of it.
#[test]
fn no_field_of_a_call_becomes_an_argument() {
    let world = World::new();
    let gate = Gate::new(&world);
    let t = token(&world, &["--mode", "native"]);
    let id = created(&gate.call(&t, "POST", "/v1/sessions", &shell_in(&world.work())));
    for text in HOSTILE {
        for field in
            ["cli", "id", "parent", "mode", "worktree", "model", "effort", "sandbox", "workspace", "path", "resume"]
        {
            let mut body: Value = serde_json::from_str(&shell_in(&world.work())).unwrap();
            body[field] = text.into();
            let refused = gate.call(&t, "POST", "/v1/sessions", &body.to_string());
            assert!((400..500).contains(&refused.0), "{field}={text}: {:#}", refused.1);
        }
        let described = gate.call(&t, "POST", "/v1/sessions", &{
            let mut body: Value = serde_json::from_str(&shell_in(&world.work())).unwrap();
            (body["description"], body["key"]) = (text.into(), text.into());
            body.to_string()
        });
        if described.0 == 200 {
            assert_eq!(described.1["description"], text);
            let _ = gate.call(&t, "POST", "/v1/sessions/kill", &json!({"ids": [described.1["id"]]}).to_string());
        }
        let said = json!({"text": format!("printf %s '{}'", text.replace('\u{7f}', "")), "key": format!("k{text}")});
        let sent = gate.call(&t, "POST", &format!("/v1/sessions/{id}/messages"), &said.to_string());
        assert_eq!(sent.0, 200, "{:#}", sent.1);
        let _ = world.adj(["wait", &id]).expect_code(0);
        let (_, answers) = gate.call(&t, "GET", &format!("/v1/sessions/{id}/answers"), "");
        assert_eq!(answers[0]["text"], text.replace('\u{7f}', ""), "{answers:#}");
    }
    assert!(!world.work().join("pwned").try_exists().unwrap());
}

#[test]
fn h4_no_file_of_the_host_is_read_for_a_caller() {
    let world = World::new();
    let gate = Gate::new(&world);
    let t = token(&world, &["--mode", "native"]);
    let id = created(&gate.call(&t, "POST", "/v1/sessions", &shell_in(&world.work())));
    let path = format!("/v1/sessions/{id}/messages");
    for body in [
        r#"{"file":"/etc/hostname"}"#,
        r#"{"text":"x","file":"/etc/hostname"}"#,
        r#"{"text":{"file":"/etc/hostname"}}"#,
    ] {
        assert_eq!(code(&gate.call(&t, "POST", &path, body)), (400, "usage"), "{body}");
    }
    for more in
        [json!({"file": "/etc/hostname"}), json!({"message_file": "/etc/hostname"}), json!({"policy": "/etc/hostname"})]
    {
        let mut body: Value = serde_json::from_str(&shell_in(&world.work())).unwrap();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(code(&gate.call(&t, "POST", "/v1/sessions", &body.to_string())), (400, "usage"), "{more}");
    }
    assert_eq!(messages(&world, &id), Vec::<Value>::new());
}

#[test]
fn h2_h7_no_web_page_gets_an_answer() {
    let world = World::new();
    let gate = Gate::new(&world);
    let t = token(&world, &["--mode", "native"]);
    let bearer = format!("authorization: Bearer {t}");
    let body = shell_in(&world.work());
    let strange = [
        vec!["host: evil.example"],
        vec!["host: evil.example:6767"],
        vec!["host: 127.0.0.1.evil.example"],
        vec![],
        vec!["host: localhost", "host: evil.example"],
        vec!["host: localhost", "origin: http://evil.example"],
        vec!["host: localhost", "origin: http://localhost"],
        vec!["host: localhost", "origin: null"],
        vec!["host: localhost", "sec-fetch-site: cross-site"],
        vec!["host: localhost", "adj-gateway: 127.0.0.1"],
    ];
    for headers in strange {
        let with_token = [headers.clone(), vec![bearer.as_str()]].concat();
        for (verb, path) in [("POST", "/v1/sessions"), ("GET", "/v1/sessions"), ("GET", "/health")] {
            let refused = gate.raw(verb, path, &with_token, body.as_bytes());
            // Without any name the server itself may refuse.
            assert!(code(&refused) == (403, "forbidden") || refused.0 == 400, "{headers:?} {verb}: {:?}", refused);
        }
        // What a page may send without asking first.
        let simple = [headers, vec!["content-type: text/plain"]].concat();
        assert!(gate.raw("POST", "/v1/sessions", &simple, body.as_bytes()).0 >= 400);
    }
    let preflight = ["host: localhost", "origin: http://evil.example", "access-control-request-method: POST"];
    assert_eq!(gate.raw("OPTIONS", "/v1/sessions", &preflight, b"").0, 403);
    for path in ["/v1/sessions/kill", "/v1/daemon/stop", "/v1/sessions/x-top/wake"] {
        assert!([403, 404, 405].contains(&gate.call(&t, "GET", path, "").0), "{path}");
    }
    assert_eq!(world.adj(["-q", "list", "-a"]).expect_code(0).stdout, "");
    // A token in the address is none.
    let refused = gate.raw("GET", &format!("/v1/sessions?token={t}&access_token={t}"), &["host: localhost"], b"");
    assert_eq!(code(&refused), (401, "unauthorized"));
    let said = gate.end();
    assert!(!said.contains(&t), "no line shows a token: {said}");
    let kept = world.inside(&format!("grep -rlF {t} {} | head -1", world.state().display())).stdout;
    assert_eq!(kept, "", "no file does");
}

#[test]
fn h5_h6_a2_errors_are_json_and_sizes_are_bounded() {
    let world = World::new();
    let gate = Gate::new(&world);
    let t = token(&world, &["--mode", "native"]);
    let id = created(&gate.call(&t, "POST", "/v1/sessions", &shell_in(&world.work())));
    for (verb, path, status) in
        [("GET", "/", 404), ("GET", "/v1/nothing", 404), ("DELETE", "/v1/wait", 405), ("POST", "/health", 404)]
    {
        let refused = gate.call(&t, verb, path, "");
        assert_eq!(refused.0, status, "{verb} {path}: {:#}", refused.1);
        assert!(refused.1["error"]["code"].is_string(), "{:#}", refused.1);
    }
    let unknown = gate.call(&t, "GET", "/v1/sessions/nobody-top", "");
    assert_eq!((code(&unknown), &unknown.1["error"]["exit"]), ((404, "session_not_found"), &4.into()));
    let path = format!("/v1/sessions/{id}/messages");
    let large = " ".repeat(17 * 1024 * 1024);
    let refused = gate.call(&t, "POST", &path, &large);
    assert_eq!(code(&refused), (413, "message_too_large"), "{:#}", refused.1);
    assert_eq!(refused.1["error"]["details"]["bytes"], large.len(), "{:#}", refused.1);
    // A body that does not say its size is counted while it is read.
    let mut stream = gate.connect();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {t}\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let piece = format!("100000\r\n{}\r\n", " ".repeat(0x10_0000));
    for _ in 0..18 {
        if stream.write_all(piece.as_bytes()).is_err() {
            break;
        }
    }
    let refused = answer(stream);
    assert!(refused.0 == 413 || refused.0 == 0, "{:#}", refused.1);
    // A message of exactly the limit goes through, and one more byte does not.
    let limit = 8 * 1024 * 1024;
    let most = json!({"text": format!(": {}", "x".repeat(limit - 2))}).to_string();
    assert_eq!(gate.call(&t, "POST", &path, &most).0, 200);
    let more = json!({"text": format!(": {}", "x".repeat(limit - 1))}).to_string();
    assert_eq!(code(&gate.call(&t, "POST", &path, &more)), (413, "message_too_large"));
    assert_eq!(messages(&world, &id).len(), 1);
}

#[test]
fn wrong_tokens_are_slowed_down_and_a_good_one_is_not() {
    let world = World::new();
    let gate = Gate::new(&world);
    let t = token(&world, &["--mode", "native"]);
    assert_eq!(gate.call(&t, "GET", "/v1/sessions", "").0, 200);
    let codes: Vec<u16> = (0..80).map(|n| gate.call(&format!("adjgw_{n}"), "GET", "/v1/sessions", "").0).collect();
    assert!(codes.starts_with(&[401; 20]) && codes.contains(&429), "{codes:?}");
    assert!(codes.iter().all(|code| [401, 429].contains(code)), "{codes:?}");
    assert_eq!(gate.call(&t, "GET", "/v1/sessions", "").0, 200, "whose token is known is not held up");
}

/// Whoever has no token calls from the same address as whoever has one that was never seen.
#[test]
fn those_without_a_token_keep_out_nobody_who_has_one() {
    let world = World::new();
    let gate = Gate::new(&world);
    let tokens: Vec<String> = (0..4).map(|_| token(&world, &["--mode", "native"])).collect();
    let without = || gate.raw("GET", "/v1/sessions", &["host: localhost"], b"").0;
    let path = "/v1/sessions";
    let body = shell_in(&world.work());
    for (number, fresh) in tokens.iter().enumerate() {
        (0..60).for_each(|_| assert_eq!(without(), 401));
        assert_eq!(gate.call("adjgw_bad", "GET", path, "").0, 429, "what is not good is too much there");
        assert_eq!(gate.call("adjgw_bad", "POST", path, &body).0, 429);
        // With and without a body.
        let first =
            if number % 2 == 0 { gate.call(fresh, "GET", path, "") } else { gate.call(fresh, "POST", path, &body) };
        assert_eq!(first.0, 200, "{:#}", first.1);
    }
    assert_eq!(world.adj(["-q", "list"]).expect_code(0).stdout.lines().count(), 2);
}

/// A head or a body that trickles in keeps its own connection waiting and nobody else.
#[test]
fn slow_callers_are_cut_off_and_hold_up_nobody() {
    let world = World::new();
    let gate = Gate::new(&world);
    let t = token(&world, &["--mode", "native"]);
    let id = created(&gate.call(&t, "POST", "/v1/sessions", &shell_in(&world.work())));
    let mut head = gate.connect();
    head.write_all(b"POST /v1/sessions HTTP/1.1\r\nhost: loc").unwrap();
    let mut body = gate.connect();
    let path = format!("/v1/sessions/{id}/messages");
    let begun = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {t}\r\ncontent-length: 100\r\n\r\n{{"
    );
    body.write_all(begun.as_bytes()).unwrap();
    // Without a good token not even a first byte is waited for.
    let stranger =
        "POST /v1/sessions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer no\r\ncontent-length: 9\r\n\r\n";
    let mut unknown = gate.connect();
    unknown.write_all(stranger.as_bytes()).unwrap();
    assert_eq!(code(&answer(unknown)), (401, "unauthorized"));
    assert_eq!(gate.call(&t, "GET", "/v1/sessions", "").0, 200);
    let mut rest = Vec::new();
    let _ = head.read_to_end(&mut rest);
    assert!(!rest.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&rest));
    let (status, told) = answer(body);
    assert_eq!((status, &told["error"]["code"]), (408, &"usage".into()), "{told:#}");
    assert_eq!(messages(&world, &id), Vec::<Value>::new());
}

/// Asks for something and reads no more of it than its status.
fn unread(gate: &Gate, token: &str, path: &str) -> (TcpStream, bool) {
    let mut stream = gate.connect();
    let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).unwrap();
    assert!(status.ends_with(b"200") || status.ends_with(b"429"), "{}", String::from_utf8_lossy(&status));
    let good = status.ends_with(b"200");
    (stream, good)
}

#[test]
fn answers_that_nobody_reads_are_bounded_and_given_up() {
    let world = World::new();
    let gate = Gate::new(&world);
    let (t, other) = (token(&world, &["--mode", "native"]), token(&world, &["--mode", "native"]));
    let id = created(&gate.call(&t, "POST", "/v1/sessions", &shell_in(&world.work())));
    let bytes = 15 << 19;
    let large = json!({"text": format!(": {}", "x".repeat(bytes)), "delay_ms": 86_400_000}).to_string();
    let (_, sent) = gate.call(&t, "POST", &format!("/v1/sessions/{id}/messages"), &large);
    let path = format!("/v1/sessions/{id}/messages/{}", sent["id"].as_str().expect("it has an id"));
    let mut held = Vec::new();
    while held.len() < 100 {
        let (stream, good) = unread(&gate, &t, &path);
        if !good {
            break;
        }
        held.push(stream);
    }
    assert!((4..100).contains(&held.len()), "{} are held", held.len());
    assert_eq!(gate.call(&other, "GET", "/v1/sessions", "").0, 200, "another's are others");
    // What is read, or let go, makes room.
    let mut first = held.remove(0);
    let mut rest = vec![0; bytes];
    first.read_exact(&mut rest).unwrap();
    drop(first);
    await_fact("there is room again", SOON, || unread(&gate, &t, &path).1);
    let open = || world.adj(["--json", "gateway", "status"]).expect_code(0).json()["connections"].as_u64();
    await_fact("who reads nothing is given up", SOON, || open() == Some(0));
    for mut stream in held {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(rest.len() < bytes, "{} bytes came through", rest.len());
    }
    assert_eq!(gate.call(&t, "GET", &path, "").1["text"].as_str().map(str::len), Some(bytes + 2));
}

#[test]
fn what_one_call_shows_of_texts_has_a_bound() {
    const MOST: usize = 9 << 20;
    let world = World::new();
    let gate = Gate::new(&world);
    let t = token(&world, &["--mode", "native"]);
    let id = created(&gate.call(&t, "POST", "/v1/sessions", &shell_in(&world.work())));
    let path = format!("/v1/sessions/{id}/messages");
    let text = json!({"text": format!(": {}", "y".repeat(70_000)), "delay_ms": 86_400_000}).to_string();
    for _ in 0..140 {
        let (_, sent) = gate.call(&t, "POST", &path, &text);
        let taken = gate.call(&t, "DELETE", &format!("{path}/{}", sent["id"].as_str().unwrap()), "");
        assert_eq!(taken.0, 200, "{:#}", taken.1);
    }
    let (_, listed) = gate.call(&t, "GET", &format!("{path}?all=true"), "");
    let listed = listed.as_array().unwrap();
    let shown: Vec<usize> = listed.iter().map(|message| message["text"].as_str().unwrap().len()).collect();
    assert_eq!((shown.len(), shown[0], shown[139]), (140, 0, 65_536));
    assert!(shown.iter().sum::<usize>() <= MOST && shown.is_sorted(), "{shown:?}");
    assert!(listed.iter().all(|message| message["bytes"] == 70_002));
    // What JSON writes as two bytes counts as two: four of these six fit.
    for _ in 0..6 {
        world.send(&id, "head -c 1000000 /dev/zero | tr '\\0' '\"'");
        let _ = world.adj(["wait", &id]).expect_code(0);
    }
    let ask = |path: &str| gate.call(&t, "GET", &format!("/v1/sessions/{id}/{path}"), "").1;
    for (path, text, cut, newest) in [
        ("answers?n=9", "text", "cut_bytes", true),
        ("turns", "answer", "answer_cut_bytes", true),
        ("turns?since=1", "answer", "answer_cut_bytes", false),
    ] {
        let told = ask(path);
        assert!(told.to_string().len() < MOST, "{path}");
        let told: Vec<(usize, u64)> = told
            .as_array()
            .unwrap()
            .iter()
            .map(|one| (one[text].as_str().unwrap().len(), one[cut].as_u64().unwrap()))
            .collect();
        let (whole, left_out) = ((1_000_000, 0), (0, 1_000_000));
        let mut expected = vec![left_out, left_out, whole, whole, whole, whole];
        if !newest {
            expected.reverse();
        }
        assert_eq!(told, expected, "{path}");
    }
    assert_eq!(ask("turns?since=2&n=1")[0]["answer"].as_str().map(str::len), Some(1_000_000), "alone it is whole");
    let log = ask("log");
    assert!(log.to_string().len() < MOST);
    assert_eq!(log[0]["role"], "notice", "{:.200}", log[0].to_string());
    assert!(log[0]["text"].as_str().unwrap().contains("adj logs --since 1"));
    let said = ask("log?since=1");
    assert_eq!(said.as_array().unwrap().last().unwrap()["role"], "notice");
    assert!(world.adj(["last-message", &id, "-n", "9"]).expect_code(0).stderr.contains("1000000 bytes of turn 1"));
}

/// What the server itself refuses, and what is a little too much.
#[test]
fn heads_that_cannot_be_read_are_refused_with_the_error_object() {
    let world = World::new();
    let gate = Gate::new(&world);
    let many: Vec<String> = (0..100).map(|number| format!("x-{number}: y")).collect();
    let many = [vec!["host: localhost"], many.iter().map(String::as_str).collect()].concat();
    let (medium, large) = (format!("x: {}", "y".repeat(70_000)), format!("x: {}", "y".repeat(300_000)));
    for (headers, status) in [
        (many, 431),
        (vec!["host: localhost", &medium], 431),
        (vec!["host: localhost", &large], 431),
        (vec!["host: localhost", "content-length: 7"], 400),
        (vec!["host: localhost", "no header at all"], 400),
    ] {
        let refused = gate.raw("GET", "/health", &headers, b"");
        assert_eq!(code(&refused), (status, "usage"), "{:.60?}: {:#}", headers, refused.1);
        assert!(refused.1["error"]["message"].is_string());
    }
}

#[test]
fn ten_thousand_connections_keep_nobody_out() {
    let world = World::new();
    let gate = Gate::new(&world);
    let t = token(&world, &["--mode", "native"]);
    let id = created(&gate.call(&t, "POST", "/v1/sessions", &shell_in(&world.work())));
    let mut follower = super::streams::Stream::open(&gate, &t, &format!("/v1/events?session={id}&follow=true"));
    follower.record();
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let wanted = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, wanted).expect("this process may open more files");
    let mut flood: Vec<TcpStream> = Vec::new();
    let begun = Instant::now();
    for number in 0..FLOOD {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", gate.port)) else { continue };
        let _ = stream.write_all(b"GET /v1/sessions HTTP/1.1\r\nhost: localhost\r\n");
        flood.push(stream);
        if number % 2_500 == 2_499 {
            let (status, told) = gate.call(&t, "GET", "/v1/sessions", "");
            assert_eq!((status, &told[0]["id"]), (200, &id.as_str().into()), "after {number}: {told:#}");
        }
    }
    assert!(flood.len() > FLOOD / 2, "{} were made in {:?}", flood.len(), begun.elapsed());
    let open = world.adj(["--json", "gateway", "status"]).expect_code(0).json()["connections"].as_u64().unwrap();
    assert!(open <= 300, "{open} are held");
    // The daemon has not noticed, and a stream that was open is open.
    world.send(&id, "echo still");
    assert_eq!(world.adj(["wait", "--print", &id]).expect_code(0).stdout, "still\n");
    let seen = std::iter::from_fn(|| follower.next()).any(|(_, record)| record["event"]["type"] == "turn.completed");
    assert!(seen, "whoever has shown a token keeps the connection");
}

#[test]
fn h18_a_socket_for_containers_serves_the_same() {
    let world = World::new();
    let socket = world.root().join("gate.sock");
    let gate = Gate::with(&world, &["--socket", socket.to_str().unwrap()]);
    assert_eq!(gate.port, 0, "a socket alone is no port");
    let t = token(&world, &["--mode", "native"]);
    let ask = |headers: &str| {
        let mut stream = UnixStream::connect(&socket).expect("it listens");
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream
            .write_all(format!("GET /v1/sessions HTTP/1.1\r\nconnection: close\r\n{headers}\r\n").as_bytes())
            .unwrap();
        answer(stream)
    };
    assert_eq!(ask(&format!("host: localhost\r\nauthorization: Bearer {t}\r\n")), (200, json!([])));
    assert_eq!(code(&ask("host: localhost\r\n")), (401, "unauthorized"));
    assert_eq!(code(&ask(&format!("host: evil.example\r\nauthorization: Bearer {t}\r\n"))), (403, "forbidden"));
    let status = world.adj(["gateway", "status"]).expect_code(0).stdout;
    assert!(status.contains(&format!("unix:{}", socket.display())), "{status}");
    let checked = |world: &World| {
        let checks = world.adj(["--json", "doctor"]).expect_code(0).json();
        checks.as_array().unwrap().iter().find(|check| check["check"] == "gateway").cloned().unwrap_or_default()
    };
    assert_eq!(checked(&world)["status"], "ok");
    let _ = gate.end();
    assert!(!socket.try_exists().unwrap(), "it goes with the gateway");
    assert_eq!(checked(&world), Value::Null, "without one there is nothing to check");
    let _on_loopback = Gate::new(&world);
    let told = checked(&world);
    assert_eq!(told["status"], "warning", "{told:#}");
    assert!(
        told["hint"].as_str().unwrap().contains("--socket"),
        "a container that does not reach it is told: {told:#}"
    );
}

#[test]
fn a_gateway_on_all_addresses_answers_to_those_of_the_fourth_version_too() {
    if std::net::TcpListener::bind("[::]:0").is_err() {
        println!("this machine has no addresses of the sixth version; nothing is shown here");
        return;
    }
    let world = World::new();
    let gate = Gate::with(&world, &["--port", "0", "--bind", "::"]);
    for host in ["127.0.0.1", "[::ffff:127.0.0.1]", "localhost"] {
        assert_eq!(gate.raw("GET", "/health", &[&format!("host: {host}:{}", gate.port)], b"").0, 200, "{host}");
    }
    for host in ["[::1]", "[::ffff:10.0.0.1]", "[::]", "0.0.0.0"] {
        assert_eq!(gate.raw("GET", "/health", &[&format!("host: {host}:{}", gate.port)], b"").0, 403, "{host}");
    }
    let _ = gate.raw("GET", "/v1/sessions", &["host: localhost"], b"");
    assert!(gate.said().contains("from=127.0.0.1"), "{}", gate.said());
}
