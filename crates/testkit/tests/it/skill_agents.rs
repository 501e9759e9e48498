//! Real agents that know nothing of `adj` but an installed skill: they find it, read it, delegate, and tell the result.
//!
//! What the model does after it has read the skill hangs on the skill's own words in what it is sent: a model that was
//! not shown them has nothing to play.

use std::path::Path;
use std::sync::Arc;

use adjutant_testkit::fakemodel::record::Request;
use adjutant_testkit::fakemodel::script::{Book, Rule};
use adjutant_testkit::{ClaudeWorld, Ended, Model, Running, World};

use crate::codex::Codex;

/// What a person says, who does not know of `adj` either.
const ERRAND: &str = "Have another session count how many numbers there are from 1 to 42, and tell me what it says.";

/// A sentence of the skill.
const OF_THE_SKILL: &str = "A session is one conversation with one agent in one directory.";

/// What the skill says to do, as one command each.
const CREATE: &str = "adj create -q --cli shell --id counter --description 'count'";
const ASK: &str = "adj ask counter --timeout 60s 'seq 1 42 | wc -l'";
const KILL: &str = "adj kill counter --tree";
const READ: &str = "adj last-message counter";

fn rule(contains: &str, script: &str) -> Rule {
    Rule { contains: contains.to_owned(), script: script.to_owned() }
}

/// The steps of an agent that has read the skill; `call` writes one command as a call of its tool.
fn followed(call: impl Fn(&str) -> String) -> String {
    let calls = [CREATE, ASK, KILL, READ].map(call).join(" [[then]] ");
    format!("{calls} [[then]] [[say The other session says: ]] [[report]]")
}

/// The path of a process of the test, with `adj` on it.
fn path_with_adj(world: &World, path: &str) -> String {
    let directory = world.adj_path().parent().expect("a program lies in a directory");
    format!("{}:{path}", directory.display())
}

/// The bodies of what the model was asked, oldest first.
fn bodies<A>(requests: &[(Arc<Request>, A)]) -> Vec<String> {
    requests.iter().map(|(request, _)| request.json().to_string()).collect()
}

#[track_caller]
fn assert_delegated(world: &World, said: &Ended) {
    assert!(said.stdout.contains("The other session says:") && said.stdout.contains("42"), "{said:#?}");
    let record = world.adj(["--json", "list", "--all"]).expect_code(0).json();
    let all = record.as_array().expect("sessions");
    assert_eq!((all.len(), &all[0]["id"], &all[0]["status"]), (1, &"counter".into(), &"exited".into()), "{record:#}");
    let answers = world.adj(["last-message", "counter"]).expect_code(0).stdout;
    assert_eq!(answers, "42\n");
}

/// Claude Code as a person calls it who lets it use the skill: what that allows, it may do, and nothing else.
fn ask_claude(world: &ClaudeWorld, words: &[&str]) -> Ended {
    let mut claude = world.command("claude");
    claude.args(["-p", ERRAND]).args(words);
    let path = world.adj_command(["x"]);
    let path = path.get_envs().find_map(|(name, value)| (name == "PATH").then_some(value)).flatten();
    claude.env("PATH", path_with_adj(world, &path.expect("a path").to_string_lossy()));
    Running::start(claude).end()
}

#[test]
fn claude_code_delegates_by_the_skill_alone() {
    let call = |command: &str| format!("[[tool Bash {}]]", serde_json::json!({"command": command, "description": "x"}));
    let rules = vec![rule(ERRAND, "[[tool Skill {\"skill\":\"adjutant\"}]]"), rule(OF_THE_SKILL, &followed(call))];
    let world = ClaudeWorld::with_model(Model::with_book(Book { rules, otherwise: String::new() }));
    let _ = world.adj(["install-skill", "--claude"]).expect_code(0);
    let said = ask_claude(&world, &["--allowedTools", "Skill(adjutant)"]).expect_code(0);
    assert_delegated(&world, &said);
    let asked = bodies(&world.model().recorder().requests());
    let begins = asked.iter().position(|body| body.contains(ERRAND)).expect("the errand");
    assert!(asked[begins].contains("adjutant") && asked[begins].contains("Use it to give work to another session"));
    assert!(!asked[begins].contains(OF_THE_SKILL), "the skill is listed first, and read when it is used");
    assert!(asked[begins + 1].contains(OF_THE_SKILL) && asked[begins + 1].contains("| 124 | timeout;"));
}

/// Codex as a person calls it. Its own sandbox would keep `adj` from the daemon's socket.
fn ask_codex(codex: &Codex, prompt: &str) -> Ended {
    let mut command = codex.world.command(adjutant_testkit::pinned::codex());
    command.args(["exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", prompt]);
    // Its commands run in a login shell, which makes a PATH of its own.
    let profile = format!("PATH={}\n", path_with_adj(&codex.world, "$PATH"));
    std::fs::write(codex.world.root().join("home/.profile"), profile).expect("a file in the world");
    Running::start(command).end()
}

fn codex_call(command: &str) -> String {
    format!("[[tool exec_command {}]]", serde_json::json!({"cmd": command, "yield_time_ms": 30_000}))
}

#[test]
fn codex_delegates_by_a_skill_that_it_found_in_its_list() {
    let world = |file: &Path| {
        let read = codex_call(&format!("cat {}", file.display()));
        let script = format!("{read} [[then]] {}", followed(codex_call));
        Codex::with_book(Book { rules: vec![rule(ERRAND, &script)], otherwise: String::new() })
    };
    // Where the model finds the file is told in the list that it is sent, as a short path; the whole one follows from it.
    let codex = world(Path::new("\"$CODEX_HOME\"/skills/adjutant/SKILL.md"));
    let _ = codex.world.adj(["install-skill", "--codex"]).expect_code(0);
    let said = ask_codex(&codex, ERRAND).expect_code(0);
    assert_delegated(&codex.world, &said);
    let asked = bodies(&codex.model.recorder().requests());
    assert!(asked[0].contains("- adjutant: Start, message, wait on") && !asked[0].contains(OF_THE_SKILL));
    assert!(asked[1].contains(OF_THE_SKILL) && asked[1].contains("| 124 | timeout;"));
}

#[test]
fn codex_delegates_by_a_skill_that_a_person_named() {
    let rules = vec![rule("<name>adjutant</name>", &followed(codex_call))];
    let codex = Codex::with_book(Book { rules, otherwise: String::new() });
    let _ = codex.world.adj(["install-skill", "--local", "--codex"]).expect_code(0);
    let said = ask_codex(&codex, &format!("$adjutant {ERRAND}")).expect_code(0);
    assert_delegated(&codex.world, &said);
    assert!(bodies(&codex.model.recorder().requests())[0].contains(OF_THE_SKILL));
}

#[test]
fn a_create_names_an_installed_skill_in_its_first_message() {
    let claude = ClaudeWorld::new();
    let world: &World = &claude;
    let skill = world.root().join("home/.claude/skills/greet");
    std::fs::create_dir_all(&skill).expect("a directory in the world");
    std::fs::write(skill.join("SKILL.md"), "---\nname: greet\ndescription: Greets.\n---\nGreet.\n").expect("a file");
    let create = |skill: &str, more: &[&str]| {
        world.adj([&["--json", "create", "--cli", "claude", "--headless", "--skill", skill], more].concat())
    };
    for bad in ["nosuch", "../skills/greet", ""] {
        let _ = create(bad, &["[[say hello]]"]).expect_error(2, "usage");
    }
    let _ = world.adj(["--json", "create", "--cli", "shell", "--skill", "greet"]).expect_error(2, "not_supported");
    let created = create("greet", &["[[say hello]]"]).expect_code(0).json();
    let id = created["id"].as_str().expect("an id");
    assert_eq!(world.adj(["wait", "--print", id]).expect_code(0).stdout, "hello\n");
    let queue = world.adj(["--json", "queue", "list", "-a", id]).expect_code(0).json();
    assert_eq!(queue[0]["text"], "Use the skill `greet`.\n\n[[say hello]]", "{queue:#}");
}
