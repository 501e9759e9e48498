//! What Codex asks, and how it is answered.

use serde_json::Value;

use super::Codex;
use crate::gateway::{Gate, code, created, token};
use crate::look::{begin, events, status};

/// A command that has to be asked for.
fn escalation(cmd: &str) -> String {
    let input =
        serde_json::json!({"cmd": cmd, "sandbox_permissions": "require_escalated", "justification": "it is needed"});
    format!("[[tool exec_command {input}]] [[then]] [[say done]]")
}

/// A new file, where nothing may be written.
fn patch(path: &str) -> String {
    let input = serde_json::json!(format!("*** Begin Patch\n*** Add File: {path}\n+hello\n*** End Patch\n"));
    format!("[[tool apply_patch {input}]] [[then]] [[say done]]")
}

fn is_there(file: &std::path::Path) -> bool {
    file.try_exists().expect("the world can be looked at")
}

/// How the requests of a session were closed.
#[track_caller]
fn ends(codex: &Codex, session: &str) -> Vec<Value> {
    events(&codex.world, session, "request.closed").iter().map(|event| event["data"]["how"].clone()).collect()
}

#[test]
fn c9_a_command_is_asked_for_and_runs_when_it_is_permitted() {
    let codex = Codex::new();
    let x = codex.guarded();
    begin(&codex.world, &x, &escalation("echo two > two"));
    let request = codex.request(&x);
    assert_eq!(status(&codex.world, &x), "waiting_for_input");
    assert_eq!((&request["kind"], &request["tool"]), (&"permission".into(), &"command".into()), "{request:#}");
    assert_eq!(request["summary"], "echo two > two", "{request:#}");
    let shown = codex.world.adj(["respond", &x]).expect_code(0).stdout;
    for words in ["reason: it is needed", "echo two > two", "--allow, --always, --deny"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(codex.world.lines_of("two").is_empty(), "nothing ran before");
    codex.respond(&x, &["--allow"]);
    assert_eq!(codex.world.adj(["wait", "--print", &x]).expect_code(0).stdout, "done\n");
    assert_eq!(codex.world.lines_of("two"), ["two"]);
    assert_eq!(ends(&codex, &x), ["answered"]);
    codex.assert_sound();
}

#[test]
fn a_command_that_is_permitted_for_good_is_not_asked_for_again() {
    let codex = Codex::new();
    let x = codex.guarded();
    begin(&codex.world, &x, &escalation("echo again >> again"));
    codex.respond(&x, &["--always"]);
    let _ = codex.world.adj(["wait", &x]).expect_code(0);
    assert_eq!(codex.ask(&x, &escalation("echo again >> again")), "done\n");
    assert_eq!(codex.world.lines_of("again"), ["again", "again"]);
    assert_eq!(ends(&codex, &x).len(), 1, "asked once");
}

#[test]
fn a_command_that_is_refused_does_not_run_and_the_turn_goes_on() {
    let codex = Codex::new();
    let x = codex.guarded();
    begin(&codex.world, &x, &escalation("echo no > no"));
    codex.respond(&x, &["--deny", "--reason", "use the other file"]);
    assert_eq!(codex.world.adj(["wait", "--print", &x]).expect_code(0).stdout, "done\n");
    assert!(codex.world.lines_of("no").is_empty());
    let heard = codex.newest_texts();
    assert!(
        heard.last().is_some_and(|text| text.ends_with("refused, with these words: use the other file")),
        "{heard:?}"
    );
    let notices = events(&codex.world, &x, "session.notice");
    assert!(!notices.iter().any(|notice| notice.to_string().contains("a person has put this")), "{notices:#?}");
    begin(&codex.world, &x, &escalation("echo no > no"));
    let _ = codex.request(&x);
    let _ = codex.world.adj(["interrupt", &x]).expect_code(0);
    let _ = codex.world.adj(["wait", &x]).expect_code(130);
    assert!(codex.world.lines_of("no").is_empty());
    assert_eq!(ends(&codex, &x), ["answered", "withdrawn"]);
    assert_eq!(codex.ask(&x, "[[say on it goes]]"), "on it goes\n");
    codex.assert_sound();
}

#[test]
fn a_command_that_is_dismissed_does_not_run_and_ends_the_turn() {
    let codex = Codex::new();
    let x = codex.guarded();
    begin(&codex.world, &x, &escalation("echo no > no"));
    codex.respond(&x, &["--dismiss"]);
    let _ = codex.world.adj(["wait", &x]).expect_code(130);
    assert!(codex.world.lines_of("no").is_empty());
    assert_eq!(ends(&codex, &x), ["answered"]);
    assert_eq!(status(&codex.world, &x), "idle");
    assert_eq!(codex.ask(&x, "[[say on it goes]]"), "on it goes\n");
    codex.assert_sound();
}

#[test]
fn a_change_of_a_file_is_shown_before_it_is_made() {
    let codex = Codex::new();
    let x = codex.create(&["--mode", "guarded", "--sandbox", "read-only"]);
    let file = codex.world.work().join("new.txt");
    begin(&codex.world, &x, &patch(&file.display().to_string()));
    let request = codex.request(&x);
    assert_eq!(request["tool"], "file_change", "{request:#}");
    assert!(request["summary"].as_str().is_some_and(|summary| summary.contains("new.txt")), "{request:#}");
    assert!(request["input"].to_string().contains("hello"), "what is written is shown: {request:#}");
    let shown = codex.world.adj(["respond", &x]).expect_code(0).stdout;
    assert!(shown.contains("diff:\n") && shown.contains("  hello\n") && shown.contains("kind: add"), "{shown}");
    codex.respond(&x, &["--deny"]);
    let _ = codex.world.adj(["wait", &x]).expect_code(0);
    assert!(codex.world.lines_of("new.txt").is_empty());
    begin(&codex.world, &x, &patch(&file.display().to_string()));
    codex.respond(&x, &["--dismiss"]);
    let _ = codex.world.adj(["wait", &x]).expect_code(130);
    assert!(codex.world.lines_of("new.txt").is_empty());
    begin(&codex.world, &x, &patch(&file.display().to_string()));
    codex.respond(&x, &["--allow"]);
    let _ = codex.world.adj(["wait", &x]).expect_code(0);
    assert_eq!(codex.world.lines_of("new.txt"), ["hello"]);
    codex.assert_sound();
}

#[test]
fn a_question_is_answered_by_option_by_word_or_not_at_all() {
    let codex = Codex::new().with_features(&["default_mode_request_user_input"]);
    let x = codex.native();
    let option = |label: &str| serde_json::json!({"label": label, "description": "a colour"});
    let question = serde_json::json!({"questions": [{
        "id": "q1", "header": "Pick", "question": "Which colour?", "options": [option("Red"), option("Blue")],
    }]});
    let script = format!("[[tool request_user_input {question}]] [[then]] [[say thanks]]");
    let dismissed = "\\\"answers\\\":[]";
    for (words, answer) in
        [(&["--choose", "Blue"][..], "Blue"), (&["--message", "neither"], "neither"), (&["--dismiss"], dismissed)]
    {
        begin(&codex.world, &x, &script);
        let request = codex.respond(&x, words);
        assert_eq!((&request["kind"], &request["summary"]), (&"choice".into(), &"Which colour?".into()), "{request:#}");
        assert_eq!(request["questions"][0]["options"][1]["label"], "Blue", "{request:#}");
        assert_eq!(codex.world.adj(["wait", "--print", &x]).expect_code(0).stdout, "thanks\n");
        let requests = codex.model.recorder().requests();
        let told = requests.last().map(|(request, _)| request.json().to_string()).unwrap_or_default();
        assert!(told.contains(answer), "the model is told {answer}");
    }
    codex.assert_sound();
}

#[test]
fn a_text_is_offered_where_one_question_is_asked_and_not_where_several_are() {
    let codex = Codex::new().with_features(&["default_mode_request_user_input"]);
    let x = codex.native();
    let option = |label: &str| serde_json::json!({"label": label, "description": "so"});
    let question = |id: &str| serde_json::json!({"id": id, "header": id, "question": "Which?", "options": [option("Red"), option("Blue")]});
    for asked in [&["q1"][..], &["q1", "q2"]] {
        let questions: Vec<Value> = asked.iter().map(|id| question(id)).collect();
        let asks = serde_json::json!({ "questions": questions });
        begin(&codex.world, &x, &format!("[[tool request_user_input {asks}]] [[then]] [[say thanks]]"));
        let _ = codex.request(&x);
        let shown = codex.world.adj(["respond", &x]).expect_code(0).stdout;
        assert_eq!(shown.matches(": Which?").count(), asked.len(), "{shown}");
        assert_eq!(shown.contains("or a text of your own"), asked.len() == 1, "{shown}");
        let _ = codex.world.adj(["respond", &x, "--dismiss"]).expect_code(0);
        let _ = codex.world.adj(["wait", &x]).expect_code(0);
    }
    codex.assert_sound();
}

#[test]
fn a_rule_answers_without_anybody_and_is_told() {
    let codex = Codex::new();
    let x = codex.create(&["--mode", "guarded", "--allow-tool", "command(echo *)", "--deny-tool", "command(rm *)"]);
    assert_eq!(codex.ask(&x, &escalation("echo ruled")), "done\n");
    assert_eq!(codex.ask(&x, &escalation("rm -f ruled")), "done\n");
    let told = events(&codex.world, &x, "request.policy");
    let decisions: Vec<&Value> = told.iter().map(|event| &event["data"]["decision"]).collect();
    assert_eq!(decisions, ["allow", "deny"], "{told:#?}");
    codex.assert_sound();
}

/// Codex shows of `cat list | xargs touch` only `cat list`.
#[test]
fn a_rule_permits_nothing_that_it_does_not_name_and_nothing_is_hidden() {
    let codex = Codex::new();
    let x = codex.create(&["--mode", "guarded", "--allow-tool", "command(cat *)"]);
    let made = codex.world.root().join("home/made");
    std::fs::write(codex.world.work().join("list"), "made").expect("a file in the world");
    for command in [
        format!("cat list | xargs -I_ touch {}", made.display()),
        format!("cat list | tee {}", made.display()),
        format!("cat list | awk '{{system(\"touch {}\")}}'", made.display()),
        format!("cat list\ntouch {}", made.display()),
    ] {
        begin(&codex.world, &x, &escalation(&command));
        let request = codex.respond(&x, &["--deny"]);
        let shown = command.replace('\n', " ⏎ ");
        assert_eq!(request["summary"], shown, "{request:#}");
        let _ = codex.world.adj(["wait", &x]).expect_code(0);
        assert!(!is_there(&made), "{command}");
    }
    assert_eq!(codex.ask(&x, &escalation("cat list")), "done\n", "nobody is asked for that");
    codex.assert_sound();
}

#[test]
fn a_rule_about_one_file_permits_no_other() {
    let codex = Codex::new();
    let work = codex.world.work().display().to_string();
    let rule = format!("file_change(add {work}/*)");
    let x = codex.create(&["--mode", "guarded", "--sandbox", "read-only", "--allow-tool", &rule]);
    let other = codex.world.root().join("home/other");
    let both =
        format!("*** Begin Patch\n*** Add File: {work}/a\n+x\n*** Add File: {}\n+x\n*** End Patch\n", other.display());
    begin(&codex.world, &x, &format!("[[tool apply_patch {}]] [[then]] [[say done]]", serde_json::json!(both)));
    codex.respond(&x, &["--deny"]);
    let _ = codex.world.adj(["wait", &x]).expect_code(0);
    assert!(!is_there(&other) && codex.world.lines_of("a").is_empty());
    assert_eq!(codex.ask(&x, &patch(&format!("{work}/a"))), "done\n");
    assert_eq!(codex.world.lines_of("a"), ["hello"]);
    begin(&codex.world, &x, &patch(&format!("{work}/../home/other")));
    let request = codex.respond(&x, &["--deny"]);
    assert_eq!(request["summary"], format!("add {}", other.display()), "{request:#}");
    let _ = codex.world.adj(["wait", &x]).expect_code(0);
    codex.assert_sound();
}

#[test]
fn b14_each_mode_means_what_it_says() {
    let codex = Codex::new();
    let outside = codex.world.root().join("home/outside");
    let write = format!(
        "[[tool exec_command {}]] [[then]] [[say done]]",
        serde_json::json!({"cmd": format!("echo x > {}", outside.display())})
    );
    let native = codex.native();
    assert_eq!(codex.ask(&native, &write), "done\n");
    assert!(outside.is_file(), "everything is permitted, and nobody is asked");
    let reads = codex.create(&["--sandbox", "read-only"]);
    let inside =
        format!("[[tool exec_command {}]] [[then]] [[say done]]", serde_json::json!({"cmd": "echo x > inside"}));
    assert_eq!(codex.ask(&reads, &inside), "done\n");
    assert!(codex.world.lines_of("inside").is_empty(), "the sandbox holds");
    let refused =
        codex.world.adj(["--json", "create", "--cli", "codex", "--mode", "docker"]).expect_error(2, "not_supported");
    drop(refused);
}

/// A Codex with `adj` itself as a server of tools, and what makes the model use one that changes something.
fn with_tools() -> (Codex, &'static str) {
    let codex = Codex::new();
    let file = codex.world.root().join("codex/config.toml");
    let config = std::fs::read_to_string(&file).expect("the configuration");
    let (adj, home) = (codex.world.adj_path().display(), codex.world.state());
    let env = format!("env = {{ ADJ_HOME = \"{}\" }}", home.display());
    let server = format!("\n[mcp_servers.house]\ncommand = \"{adj}\"\nargs = [\"mcp\"]\n{env}\n");
    std::fs::write(&file, config + &server).expect("a file in the world");
    (codex, "[[tool mcp__house/create {\"cli\":\"shell\"}]] [[then]] [[say done]]")
}

fn sessions(codex: &Codex) -> usize {
    codex.world.adj(["-q", "list"]).expect_code(0).stdout.lines().count()
}

#[test]
fn whether_a_tool_of_a_server_may_be_used_is_a_permission() {
    let (codex, create) = with_tools();
    let x = codex.guarded();
    begin(&codex.world, &x, create);
    let request = codex.respond(&x, &["--deny"]);
    assert_eq!(
        (&request["kind"], &request["tool"]),
        (&"permission".into(), &"mcp__house__create".into()),
        "{request:#}"
    );
    assert_eq!(request["input"]["_meta"]["tool_params"]["cli"], "shell", "{request:#}");
    let _ = codex.world.adj(["wait", &x]);
    assert_eq!(sessions(&codex), 1);
    begin(&codex.world, &x, create);
    codex.respond(&x, &["--always"]);
    let _ = codex.world.adj(["wait", &x]).expect_code(0);
    assert_eq!(sessions(&codex), 2);
    assert_eq!(codex.ask(&x, create), "done\n", "it is not asked for again");
    assert_eq!(sessions(&codex), 3);
    codex.assert_sound();
}

#[test]
fn a_rule_may_permit_a_tool_of_a_server() {
    let (codex, create) = with_tools();
    let x = codex.create(&["--mode", "guarded", "--allow-tool", "mcp__house__*"]);
    assert_eq!(codex.ask(&x, create), "done\n");
    assert_eq!(sessions(&codex), 2);
}

#[test]
fn a_bound_token_does_not_permit_tools_of_a_server() {
    let (codex, create) = with_tools();
    let gate = Gate::new(&codex.world);
    let bound = token(&codex.world, &["--pass", "CODEX_HOME", "--pass", adjutant_fakemodel::openai::KEY_VARIABLE]);
    let body = serde_json::json!({"cli": "codex", "path": codex.world.work(), "message": create}).to_string();
    let x = created(&gate.call(&bound, "POST", "/v1/sessions", &body));
    let request = codex.request(&x);
    let answer = format!("/v1/requests/{}/answer", request["id"].as_str().expect("an id"));
    for decision in ["allow", "always", "text"] {
        let body = serde_json::json!({"decision": decision, "text": (decision == "text").then_some("{}")}).to_string();
        assert_eq!(code(&gate.call(&bound, "POST", &answer, &body)), (403, "forbidden"), "{decision}");
    }
    assert_eq!(sessions(&codex), 1);
}
