//! Sending, so that nothing is said twice: what is said to another machine is given a key, and with it a call whose answer
//! was lost on the way can be repeated.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use adjutant_api::limits::READY_MS_DEFAULT;
use adjutant_api::methods;
use adjutant_api::types::message::{SendMessage, Sent, WakeSession};

use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::error::ClientError;
use crate::{Client, limits};

/// A key that nobody else uses.
pub fn new_key() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("auto-{:016x}{:016x}", random(), random() ^ u64::from(std::process::id()))
}

impl Client {
    /// Puts a message into the queue.
    ///
    /// # Errors
    /// What the daemon says of the call, or why there is no answer.
    pub async fn send(&mut self, id: &str, message: &SendMessage) -> Result<Sent, ClientError> {
        let mut message = message.clone();
        self.make_repeatable(&mut message.key, &mut message.once);
        let confirm = Duration::from_millis(message.confirm_ms.unwrap_or(0));
        let call = Call::new(&methods::SEND, &[id]).body(&message).repeatable(message.once);
        self.call(call.within(confirm + limits::ANSWER_EXTRA + limits::ANSWER)).await
    }

    /// Puts a message into the queue, reviving an ended session.
    ///
    /// # Errors
    /// What the daemon says of the call, or why there is no answer.
    pub async fn wake(&mut self, id: &str, message: &WakeSession) -> Result<Option<Sent>, ClientError> {
        let mut message = message.clone();
        if message.text.is_some() {
            self.make_repeatable(&mut message.key, &mut message.once);
        }
        // A session that has ended is started again first.
        let ready = Duration::from_millis(message.timeout_ms.unwrap_or(READY_MS_DEFAULT));
        let call = Call::new(&methods::WAKE, &[id]).body(&message).repeatable(message.once);
        self.call(call.within(ready + limits::ANSWER_EXTRA)).await
    }

    /// A key of the caller's own is for more than this one call, and is left alone.
    fn make_repeatable(&self, key: &mut Option<String>, once: &mut bool) {
        if key.is_none() && matches!(self.options.endpoint, Endpoint::Ssh(_)) {
            *key = Some(new_key());
            *once = true;
        }
    }
}
