//! A client of the Model Context Protocol, as small as it can be: one line for each message.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use adjutant_testkit::World;
use serde_json::{Value, json};

/// A client, and the server that it has started.
pub(crate) struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    id: u64,
}

impl Client {
    /// Starts `adj mcp` and shakes hands.
    #[track_caller]
    pub(crate) fn start(world: &World) -> Self {
        Self::of(world.adj_command(["mcp"]))
    }

    /// Starts a server by a command, and shakes hands.
    #[track_caller]
    pub(crate) fn of(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().expect("a pipe"));
        let mut client = Self { child, stdin, stdout: BufReader::new(stdout), id: 0 };
        let hello = json!({
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"},
        });
        let answer = client.request("initialize", &hello);
        assert_eq!(answer["result"]["serverInfo"]["name"], "adjutant", "{answer:#}");
        client.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        client
    }

    fn say(&mut self, message: &Value) {
        let stdin = self.stdin.as_mut().expect("it is open");
        stdin.write_all(format!("{message}\n").as_bytes()).expect("the server reads");
    }

    /// One request and its answer; what comes in between is no answer.
    #[track_caller]
    pub(crate) fn request(&mut self, method: &str, params: &Value) -> Value {
        self.id += 1;
        self.say(&json!({"jsonrpc": "2.0", "id": self.id, "method": method, "params": params}));
        loop {
            let mut line = String::new();
            let read = self.stdout.read_line(&mut line).expect("the server writes text");
            assert!(read > 0, "the server has gone");
            let answer: Value = serde_json::from_str(&line).expect("one JSON document on a line");
            if answer["id"] == self.id {
                return answer;
            }
        }
    }

    /// Calls a tool that must be there; gives its structured result.
    #[track_caller]
    pub(crate) fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = self.request("tools/call", &json!({"name": tool, "arguments": arguments}));
        let result = &answer["result"];
        let structured = result["structuredContent"].clone();
        assert!(structured["exit"].is_u64(), "{tool}: {answer:#}");
        assert_eq!(result["isError"], structured["result"].is_null() && !structured["error"].is_null(), "{answer:#}");
        let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().expect("a text")).expect("JSON");
        assert_eq!(text, structured, "who reads texts alone reads the same");
        structured
    }

    /// Goes away, and waits for the server's end.
    #[track_caller]
    pub(crate) fn leave(mut self) {
        self.stdin = None;
        let status = self.child.wait().expect("it ends");
        assert!(status.success(), "{status}");
    }
}
