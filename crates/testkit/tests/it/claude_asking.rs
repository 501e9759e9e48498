//! What Claude Code asks of a person, in both of its faces: plans, several questions at once, forms, and what rules answer.

use adjutant_testkit::ClaudeWorld;
use serde_json::Value;

/// The words that ask for each face: the terminal comes first.
pub(crate) const FACES: [&[&str]; 2] = [&[], &["--headless"]];

/// Creates a session with these words in this face, and gives its id.
#[track_caller]
pub(crate) fn create(world: &ClaudeWorld, words: &[&str], face: &[&str]) -> String {
    let words = ["create", "-q", "--cli", "claude"].iter().chain(words).chain(face);
    world.adj(words).expect_code(0).word().to_owned()
}

/// The newest request of the model, as text.
fn newest_body(world: &ClaudeWorld) -> String {
    let (request, _) = world.model().recorder().requests().pop().expect("a request");
    String::from_utf8_lossy(&request.body).into_owned()
}

/// Where Claude Code wants its plan written, as it has told the model.
fn plan_file(body: &str) -> String {
    let end = body.find("/plans/").map(|at| at + body[at..].find(".md").expect("a file") + 3).expect("a plan's file");
    let begin = body[..end].rfind([' ', '"', '`', '\n']).expect("a word") + 1;
    body[begin..end].to_owned()
}

/// The decisions of rules that are on record.
fn ruled(world: &ClaudeWorld, session: &str) -> Vec<String> {
    let log = world.adj(["watch", "--json", "--since", "0", "--types", "request.policy", session]).expect_code(0);
    let line = |line: &str| {
        let event: Value = serde_json::from_str(line).expect("an event");
        ["decision", "tool"].map(|key| event["data"][key].as_str().unwrap_or_default().to_owned()).join(" ")
    };
    log.stdout.lines().map(line).collect()
}

#[test]
fn a_plan_is_sent_back_with_a_reason_or_approved() {
    for face in FACES {
        let world = ClaudeWorld::new();
        let x = create(&world, &["--mode", "guarded"], face);
        let begin = r#"[[tool ToolSearch {"query":"select:EnterPlanMode,ExitPlanMode"}]][[then]][[tool EnterPlanMode {}]][[then]][[say planning]]"#;
        let _ = world.turn(&x, begin).expect_code(0);
        let write =
            serde_json::json!({"file_path": plan_file(&newest_body(&world)), "content": "# A plan\n\n1. be done\n"});
        let script = format!(
            "[[tool Write {write}]][[then]][[tool ExitPlanMode {{}}]][[then]][[tool Bash {{\"command\":\"touch made\"}}]][[then]][[say went on]]"
        );
        let _ = world.turn(&x, &script).expect_code(3);
        let asked = world.adj(["--json", "requests"]).expect_code(0).json();
        assert_eq!((&asked[0]["kind"], &asked[0]["tool"]), (&"permission".into(), &"ExitPlanMode".into()), "{asked:#}");
        assert!(asked[0]["summary"].as_str().unwrap().contains("1. be done"), "the plan is shown: {asked:#}");
        let _ = world.adj(["respond", &x, "--deny", "--reason", "think of the children"]).expect_code(0);
        // What comes behind it asks again, and is refused.
        let _ = world.adj(["wait", &x]).expect_code(3);
        let _ = world.adj(["respond", &x, "--deny"]).expect_code(0);
        let _ = world.adj(["wait", &x]).expect_code(0);
        assert!(newest_body(&world).contains("think of the children") && !world.has_file("made"));

        let again = "[[tool ExitPlanMode {}]][[then]][[tool Bash {\"command\":\"touch made\"}]][[then]][[say done]]";
        let _ = world.turn(&x, again).expect_code(3);
        let _ = world.adj(["respond", &x, "--allow"]).expect_code(0);
        let _ = world.adj(["wait", &x]).expect_code(3);
        let asked = world.adj(["--json", "requests"]).expect_code(0).json();
        assert_eq!((asked.as_array().map(Vec::len), &asked[0]["tool"]), (Some(1), &"Bash".into()), "{asked:#}");
        let _ = world.adj(["respond", &x, "--allow"]).expect_code(0);
        let _ = world.adj(["wait", &x]).expect_code(0);
        assert!(world.has_file("made") && newest_body(&world).contains("approved"));
        world.assert_sound();
    }
}

#[test]
fn several_questions_are_answered_together() {
    let questions = r#"{"questions":[{"question":"Which colour?","header":"Colour","multiSelect":false,"options":[{"label":"Red","description":"r"},{"label":"Blue","description":"b"}]},{"question":"Which sizes?","header":"Size","multiSelect":true,"options":[{"label":"S","description":"s"},{"label":"M","description":"m"},{"label":"L","description":"l"}]}]}"#;
    for face in FACES {
        let world = ClaudeWorld::new();
        let x = create(&world, &["--mode", "native"], face);
        let _ = world.turn(&x, &format!("[[tool AskUserQuestion {questions}]][[then]][[say thanks]]")).expect_code(3);
        assert_eq!(world.adj(["respond", &x, "--choose", "1"]).code, 2, "of which question?");
        assert_eq!(world.adj(["respond", &x, "--choose", "Colour=3", "--choose", "Size=1"]).code, 2, "there is none");
        let answer = ["respond", &x, "--choose", "Colour=Blue", "--choose", "Size=S", "--choose", "Size=3"];
        let _ = world.adj(answer).expect_code(0);
        let _ = world.adj(["wait", &x]).expect_code(0);
        let body = newest_body(&world);
        assert!(body.contains(r#"\"Which colour?\"=\"Blue\""#) && body.contains(r#"\"Which sizes?\"=\"S, L\""#));
    }
}

/// In guarded mode, too, there are tools about which nobody is asked.
#[test]
fn a_rule_refuses_what_nobody_is_asked_about() {
    for face in FACES {
        let world = ClaudeWorld::new();
        let rules = ["--mode", "guarded", "--deny-tool", "Bash(echo *)", "--deny-tool", "Read"];
        let x = create(&world, &rules, face);
        std::fs::write(world.work().join("secret"), "the secret is out").unwrap();
        let read = serde_json::json!({"file_path": world.work().join("secret")});
        let script = format!(
            "[[tool Bash {{\"command\":\"echo hello\"}}]][[then]][[tool Read {read}]][[then]][[tool Bash {{\"command\":\"pwd\"}}]][[then]][[say done]]"
        );
        assert_eq!(world.answer(&x, &script), "done");
        let body = newest_body(&world);
        assert!(!body.contains("the secret is out"), "it was read: {face:?}");
        assert!(body.contains(&world.work().display().to_string()), "what no rule is about is done");
        let decisions = ruled(&world, &x);
        assert_eq!(decisions.iter().filter(|decision| *decision == "deny Bash").count(), 1, "{face:?}: {decisions:?}");
        assert!(decisions.iter().all(|decision| decision.starts_with("deny")), "{face:?}: {decisions:?}");
    }
}

#[test]
fn a_rule_that_would_hold_for_nothing_starts_nothing() {
    let world = ClaudeWorld::new();
    for option in ["--allow-tool", "--deny-tool"] {
        for rule in ["Bash(rm *", "Read,Write", "(x)"] {
            let refused = world.adj(["--json", "create", "--cli", "claude", option, rule]);
            assert_eq!(refused.code, 2, "{option} {rule}: {refused:?}");
            assert!(refused.stderr.contains("is no rule"), "{refused:?}");
        }
    }
    assert_eq!(world.adj(["--json", "list", "-a"]).expect_code(0).json(), serde_json::json!([]));
}

/// A server of one tool that asks the user for a name.
const ASKING_SERVER: &str = r#"
import sys, json
def out(m): print(json.dumps(m), flush=True)
for line in sys.stdin:
    m = json.loads(line)
    if m.get("method") == "initialize":
        info = {"protocolVersion": m["params"]["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": {"name": "el", "version": "1"}}
        out({"jsonrpc": "2.0", "id": m["id"], "result": info})
    elif m.get("method") == "tools/list":
        tool = {"name": "ask", "description": "asks", "inputSchema": {"type": "object", "properties": {}}}
        out({"jsonrpc": "2.0", "id": m["id"], "result": {"tools": [tool]}})
    elif m.get("method") == "tools/call":
        call = m["id"]
        schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
        out({"jsonrpc": "2.0", "id": "e1", "method": "elicitation/create", "params": {"message": "Your name?", "requestedSchema": schema}})
    elif m.get("id") == "e1":
        text = "got " + json.dumps(m.get("result"))
        out({"jsonrpc": "2.0", "id": call, "result": {"content": [{"type": "text", "text": text}]}})
    elif "id" in m and "method" in m:
        out({"jsonrpc": "2.0", "id": m["id"], "result": {}})
"#;

#[test]
fn a_form_of_a_tool_server_is_filled_and_can_be_interrupted() {
    for face in FACES {
        let world = ClaudeWorld::new();
        world.write_home("asks.py", ASKING_SERVER);
        let server = world.root().join("home/asks.py").display().to_string();
        let servers = serde_json::json!({"mcpServers": {"el": {"command": "python3", "args": [server]}}});
        let (servers, given) = (servers.to_string(), ["--", "--strict-mcp-config", "--mcp-config"]);
        let words = ["create", "-q", "--cli", "claude"].iter().chain(face).chain(&given).copied();
        let x = world.adj(words.chain([servers.as_str()])).expect_code(0).word().to_owned();
        let load = r#"[[tool ToolSearch {"query":"select:mcp__el__ask"}]][[then]]"#;
        let _ = world.turn(&x, &format!("{load}[[tool mcp__el__ask {{}}]][[then]][[say done]]")).expect_code(3);
        let _ = world.adj(["respond", &x, r#"{"name":"Ada"}"#]).expect_code(0);
        let _ = world.adj(["wait", &x]).expect_code(0);
        assert!(newest_body(&world).contains("Ada"), "{face:?}");
        let _ = world.turn(&x, "[[tool mcp__el__ask {}]][[then]][[say done]]").expect_code(3);
        let _ = world.adj(["respond", &x, "--dismiss"]).expect_code(0);
        let _ = world.adj(["wait", &x]).expect_code(0);
        assert!(newest_body(&world).contains("decline"), "{face:?}");
        let message = world.send(&x, "[[tool mcp__el__ask {}]][[then]][[hold never]]");
        let _ = world.adj(["wait", &x, "--for", &message]).expect_code(3);
        let _ = world.adj(["interrupt", &x]).expect_code(0);
        let _ = world.adj(["wait", &x, "--for", &message]).expect_code(130);
    }
}
