//! A message that is being pasted. A long one takes seconds, in which the session can be ended and its questions answered;
//! what is a key waits, because keys arrive in the order in which they were sent.

use std::io;

use tokio::task::JoinHandle;

/// The paste that is under way, if one is.
#[derive(Debug, Default)]
pub(super) struct Typing {
    task: Option<JoinHandle<io::Result<()>>>,
    /// Time for its confirmation once all of it was sent, in milliseconds; none where nothing confirms it.
    confirm_ms: Option<u64>,
}

/// A paste that has come to its end.
#[derive(Debug)]
pub(super) struct Pasted {
    pub(super) result: io::Result<()>,
    pub(super) confirm_ms: Option<u64>,
}

impl Typing {
    /// Begins one.
    pub(super) fn begin(paste: impl Future<Output = io::Result<()>> + Send + 'static, confirm_ms: Option<u64>) -> Self {
        Self { task: Some(tokio::spawn(paste)), confirm_ms }
    }

    /// Whether one is under way.
    pub(super) fn is_under_way(&self) -> bool {
        self.task.is_some()
    }

    /// Waits for its end; without one, for ever. Can be broken off and called again.
    pub(super) async fn done(&mut self) -> Pasted {
        let Some(task) = &mut self.task else { return std::future::pending().await };
        let result = task.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        self.task = None;
        Pasted { result, confirm_ms: self.confirm_ms.take() }
    }

    /// Ends it where it is: nobody is left to read it.
    pub(super) async fn give_up(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            // What it came to interests nobody.
            let _ = task.await;
        }
    }
}
