//! An app-server that plays faults: what the real one should never say, and a driver has to live with all the same.
//!
//! The file `fault` in CODEX_HOME names the fault of the next turn. Every turn answers `fake: ` and its text.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{UnixListener, UnixStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// More than a driver takes in one message.
const TOO_MUCH_BYTES: usize = 65 * 1024 * 1024;

/// What all connections see.
#[derive(Debug, Default)]
struct Shared {
    home: PathBuf,
    turns: Mutex<Vec<Value>>,
}

impl Shared {
    fn turns(&self) -> MutexGuard<'_, Vec<Value>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fault that was ordered; it happens once.
    fn fault(&self) -> String {
        let file = self.home.join("fault");
        let fault = std::fs::read_to_string(&file).unwrap_or_default();
        let _ = std::fs::remove_file(file);
        fault
    }
}

/// Serves until it is ended.
pub(crate) fn serve(listen: &str) -> std::io::Result<()> {
    let path = Path::new(listen.trim_start_matches("unix://")).to_owned();
    let home = std::env::var_os("CODEX_HOME").map(PathBuf::from).unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path)?;
        let shared = Arc::new(Shared { home, ..Shared::default() });
        loop {
            let (stream, _) = listener.accept().await?;
            let shared = Arc::clone(&shared);
            tokio::spawn(async move {
                if let Ok(socket) = tokio_tungstenite::accept_async(stream).await {
                    let _ = Connection { socket, shared }.live().await;
                }
            });
        }
    })
}

type Sent = Result<(), tokio_tungstenite::tungstenite::Error>;

struct Connection {
    socket: WebSocketStream<UnixStream>,
    shared: Arc<Shared>,
}

impl Connection {
    async fn live(&mut self) -> Sent {
        while let Some(Ok(message)) = self.socket.next().await {
            let Message::Text(text) = message else { continue };
            let asked: Value = serde_json::from_str(&text).unwrap_or_default();
            if asked["id"].is_null() {
                continue;
            }
            match asked["method"].as_str() {
                Some("thread/queue/add") => self.turn(&asked).await?,
                method => self.answer(&asked, &self.plain(method.unwrap_or_default())).await?,
            }
        }
        Ok(())
    }

    fn plain(&self, method: &str) -> Value {
        match method {
            "initialize" => json!({"userAgent": "adjutant/0.169.0 (fake)"}),
            "account/read" => json!({"account": null, "requiresOpenaiAuth": false}),
            "thread/start" | "thread/resume" => json!({"thread": {"id": "t", "status": {"type": "idle"}, "turns": []}}),
            "thread/turns/list" => {
                let turns: Vec<Value> = self.shared.turns().iter().rev().cloned().collect();
                json!({"data": turns, "nextCursor": null})
            }
            "thread/queue/list" => json!({"data": [], "nextCursor": null}),
            _ => json!({}),
        }
    }

    async fn turn(&mut self, asked: &Value) -> Sent {
        let text = asked["params"]["input"][0]["text"].as_str().unwrap_or_default();
        let user = json!({
            "type": "userMessage", "id": "m", "clientId": asked["params"]["clientUserMessageId"],
            "content": [{"type": "text", "text": text}],
        });
        let said = json!({"type": "agentMessage", "id": "a", "text": format!("fake: {text}")});
        let id = format!("u{}", self.shared.turns().len());
        let items = [user.clone(), said.clone()];
        let whole = json!({"id": id, "status": "completed", "error": null, "items": items});
        self.shared.turns().push(whole.clone());
        let fault = self.shared.fault();
        let on_turn = |kind: &str, turn: &Value| notice(kind, &json!({"threadId": "t", "turn": turn}));
        let on_item = |item: &Value| notice("item/started", &json!({"threadId": "t", "turnId": id, "item": item}));
        let ended = |item: &Value| notice("item/completed", &json!({"threadId": "t", "turnId": id, "item": item}));
        let status = |word: &str| notice("thread/status/changed", &json!({"threadId": "t", "status": {"type": word}}));
        let begun = on_turn("turn/started", &json!({"id": id, "status": "inProgress", "items": []}));
        let (words, done) = ([on_item(&user), ended(&user), ended(&said)], on_turn("turn/completed", &whole));
        let queued = json!({"queuedSubmission": {"id": "q"}});
        match fault.trim() {
            "cut" => return self.socket.close(None).await,
            // It takes connections still, and nothing comes over them.
            "deaf" => loop {
                std::thread::park();
            },
            "half_open" => return std::future::pending().await,
            "reordered" => {
                // Items before their turn, the end before the rest, the answer last of all.
                self.say(words.into_iter().chain([begun, done, status("idle"), status("active")])).await?;
                return self.answer(asked, &queued).await;
            }
            _ => self.answer(asked, &queued).await?,
        }
        self.say([status("active"), begun].into_iter().chain(words)).await?;
        match fault.trim() {
            "unknown" => {
                let poem = on_item(&json!({"type": "poem", "id": "p", "verses": 3}));
                let odd = [notice("galaxy/exploded", &json!({"threadId": "t"})), poem, "no JSON at all".to_owned()];
                self.say(odd.into_iter().chain([status("dreaming"), status("active"), status("idle"), done])).await
            }
            "evaporated" => {
                let mut odd = whole.clone();
                odd["status"] = json!("evaporated");
                self.say([status("idle"), on_turn("turn/completed", &odd)]).await
            }
            "missing" => self.say([status("idle")]).await,
            "late" => {
                self.say([status("idle")]).await?;
                // Beyond the time after which a driver asks.
                let _ = tokio::time::timeout(Duration::from_millis(1_500), std::future::pending::<()>()).await;
                self.say([done.clone(), done]).await
            }
            "oversize" => self.say([notice("galaxy/expanded", &json!({"with": "x".repeat(TOO_MUCH_BYTES)}))]).await,
            _ => self.say([status("idle"), done]).await,
        }
    }

    async fn say(&mut self, all: impl IntoIterator<Item = String>) -> Sent {
        for one in all {
            self.socket.send(Message::text(one)).await?;
        }
        Ok(())
    }

    async fn answer(&mut self, asked: &Value, result: &Value) -> Sent {
        self.say([json!({"id": asked["id"], "result": result}).to_string()]).await
    }
}

fn notice(method: &str, params: &Value) -> String {
    json!({"method": method, "params": params, "emittedAtMs": 1}).to_string()
}
