//! A real agent with nothing but the tools.

use adjutant_testkit::{ClaudeWorld, Running};
use serde_json::json;

#[test]
fn claude_code_delegates_by_the_tools_alone() {
    let world = ClaudeWorld::new();
    let server = json!({"mcpServers": {"adj": {
        "command": world.adj_path(), "args": ["mcp"], "env": {"ADJ_HOME": world.state()},
    }}});
    let calls = [
        ("create", json!({"cli": "shell", "id": "counter"})),
        ("send", json!({"id": "counter", "text": "seq 1 42 | wc -l"})),
        ("wait", json!({"session": ["counter"]})),
        ("last-message", json!({"id": "counter"})),
    ];
    let calls = calls.map(|(tool, input)| format!("[[tool mcp__adj__{tool} {input}]]")).join(" [[then]] ");
    let mut claude = world.command("claude");
    claude.args(["-p", &format!("count {calls} [[then]] [[say It says: ]] [[report]]")]);
    claude.args(["--mcp-config", &server.to_string(), "--strict-mcp-config", "--allowedTools", "mcp__adj"]);
    let said = Running::start(claude).end().expect_code(0).stdout;
    assert!(said.contains("It says:") && said.contains("\"text\":\"42\""), "{said}");
    assert_eq!(world.adj(["last-message", "counter"]).expect_code(0).stdout, "42\n");
}
