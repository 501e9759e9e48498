//! Several creators share one app-server, and each gets what it asked for.

use serde_json::json;

use super::Codex;
use super::server::Server;
use crate::look::{begin, events, record};

#[test]
fn one_home_has_one_server_by_whatever_name_it_is_called() {
    let codex = Codex::new();
    let home = codex.world.root().join("codex");
    let link = codex.world.root().join("link");
    std::os::unix::fs::symlink(&home, &link).expect("a link in the world");
    let first = codex.native();
    for name in [link.display().to_string(), format!("{}/", home.display())] {
        let other = codex.create(&["--env", &format!("CODEX_HOME={name}")]);
        assert_eq!(codex.server(&other).identity(), codex.server(&first).identity(), "{name}");
    }
    let relative = ["--json", "create", "--cli", "codex", "--env", "CODEX_HOME=../codex"];
    let told = codex.world.adj(relative).expect_error(1, "agent_start_failed");
    assert!(told.stderr.contains("whole path"), "{told:#?}");
}

#[test]
fn commands_have_the_environment_of_their_own_sessions_creator() {
    let codex = Codex::new();
    let first = codex.native();
    let mut create = codex.world.adj_command(["create", "-q", "--cli", "codex"]);
    let path = std::env::var("PATH").unwrap_or_default();
    let codex_dir = adjutant_testkit::pinned::codex().parent().expect("a directory").display().to_string();
    create.env("TZ", "Asia/Tokyo").env("OPENAI_API_KEY", "another").env("PATH", format!("/own:{codex_dir}:{path}"));
    let second = adjutant_testkit::Running::start(create).end().expect_code(0).word().to_owned();
    assert_eq!(codex.server(&first).identity(), codex.server(&second).identity());
    let command = json!({"cmd": "echo $TZ $PATH $(command -v rg) > shown; adj whoami > who"});
    let show = format!("[[tool exec_command {command}]] [[then]] [[say done]]");
    let shown = |session: &str| {
        assert_eq!(codex.ask(session, &show), "done\n");
        codex.world.lines_of("shown").join("\n")
    };
    let of_second = shown(&second);
    assert!(
        of_second.starts_with("Asia/Tokyo ") && of_second.contains(":/own:") && of_second.contains("/rg"),
        "{of_second}"
    );
    assert_eq!(codex.world.lines_of("who")[0], second, "the agent has `adj`, and is known to it");
    assert!(!shown(&first).contains("Tokyo"), "of nobody else's");
    let told = events(&codex.world, &second, "session.notice");
    let told = json!(told).to_string();
    assert!(told.contains("OPENAI_API_KEY") && !told.contains("another\""), "named, and not shown: {told}");
    assert!(events(&codex.world, &first, "session.notice").is_empty(), "who started it has it as it is");
    codex.assert_sound();
}

#[test]
fn a_conversation_that_somebody_has_open_gets_the_rights_that_were_asked_for() {
    let codex = Codex::new();
    let holds_server = codex.native();
    let mut other = Server::of(&codex, &holds_server);
    let thread = other.begin_thread(&codex.world.work(), "[[say before]]");
    let x = codex.create(&["--mode", "guarded", "--sandbox", "read-only", "--resume", &thread]);
    assert_eq!(record(&codex.world, &x)["agent_session"], thread.as_str());
    let input = json!({"cmd": "echo x > ran", "sandbox_permissions": "require_escalated", "justification": "so"});
    begin(&codex.world, &x, &format!("[[tool exec_command {input}]] [[then]] [[say done]]"));
    codex.respond(&x, &["--deny"]);
    let _ = codex.world.adj(["wait", &x]).expect_code(0);
    assert!(codex.world.lines_of("ran").is_empty(), "it asks, as it was told to");
    let input = json!({"cmd": "echo x > inside"});
    assert_eq!(codex.ask(&x, &format!("[[tool exec_command {input}]] [[then]] [[say done]]")), "done\n");
    assert!(codex.world.lines_of("inside").is_empty(), "its sandbox is the one that was asked for");
    codex.assert_sound();
}
