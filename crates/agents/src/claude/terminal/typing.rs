//! A message that is being pasted. A long one takes seconds, in which the session can be ended and its questions answered.
//! What is a key waits, because keys arrive in the order in which they were sent; so all but the end of a long message is
//! typed no faster than the agent reads, can be broken off, and is followed by its end and Enter only if the agent still
//! takes it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinHandle;

/// The paste that is under way, if one is.
#[derive(Debug, Default)]
pub(super) struct Typing {
    task: Option<JoinHandle<io::Result<()>>>,
    /// Set for a paste that is to be broken off.
    stop: Arc<AtomicBool>,
    /// What comes behind it.
    then: Option<Then>,
}

/// What comes behind a paste.
#[derive(Debug)]
pub(super) enum Then {
    /// The end of the message, with Enter.
    Enter {
        /// The end.
        text: String,
        /// Time for its confirmation, as below.
        confirm_ms: Option<u64>,
    },
    /// Nothing: all of it was sent.
    Confirm {
        /// Time for its confirmation, in milliseconds; none where nothing confirms it.
        confirm_ms: Option<u64>,
    },
}

/// A paste that has come to its end.
#[derive(Debug)]
pub(super) struct Pasted {
    pub(super) result: io::Result<()>,
    /// It was broken off.
    pub(super) stopped: bool,
    pub(super) then: Then,
}

impl Typing {
    /// Begins one; it ends early when the flag is set.
    pub(super) fn begin<P>(paste: impl FnOnce(Arc<AtomicBool>) -> P, then: Then) -> Self
    where
        P: Future<Output = io::Result<()>> + Send + 'static,
    {
        let stop = Arc::new(AtomicBool::new(false));
        Self { task: Some(tokio::spawn(paste(Arc::clone(&stop)))), stop, then: Some(then) }
    }

    /// Whether one is under way.
    pub(super) fn is_under_way(&self) -> bool {
        self.task.is_some()
    }

    /// Breaks one off that has not come to its end; the end itself is too short for that.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Waits for its end; without one, for ever. Can be broken off and called again.
    pub(super) async fn done(&mut self) -> Pasted {
        let Some(task) = &mut self.task else { return std::future::pending().await };
        let result = task.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        self.task = None;
        let then = self.then.take().unwrap_or(Then::Confirm { confirm_ms: None });
        Pasted { result, stopped: self.stop.load(Ordering::Relaxed), then }
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
