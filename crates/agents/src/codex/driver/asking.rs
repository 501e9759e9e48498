//! Waiting for the app-server without being deaf to orders.

use std::io;
use std::pin::pin;

use serde_json::Value;

use super::{Driven, Driver, Stop};
use crate::Order;
use crate::codex::limits::{END_ANSWER_MS_MAX, ORDERS_WAITING_MAX};
use crate::codex::wire::{AskError, Link, Refusal};
use crate::timer::pause;

impl Driver {
    /// Asks something; an answer of which nobody can say whether it comes is a lost one.
    ///
    /// # Errors
    /// When the daemon lets go of the session meanwhile.
    pub(super) async fn ask(
        &mut self,
        link: &mut Link,
        method: &str,
        params: Value,
    ) -> Driven<Result<Value, AskError>> {
        match self.hearing(link.ask(method, params)).await? {
            Some(answer) => Ok(answer),
            None => Ok(Err(AskError::Lost(given_up()))),
        }
    }

    /// Asks something of which a refusal changes nothing here.
    ///
    /// # Errors
    /// When the connection is lost, or the daemon lets go of the session.
    pub(super) async fn try_ask(
        &mut self,
        link: &mut Link,
        method: &str,
        params: Value,
    ) -> Driven<Result<Value, Refusal>> {
        match self.ask(link, method, params).await? {
            Ok(answer) => Ok(Ok(answer)),
            Err(AskError::Refused(refusal)) => {
                tracing::debug!(session = %self.session, method, refusal.message, "refused by the app-server");
                Ok(Err(refusal))
            }
            Err(AskError::Unsent(error) | AskError::Lost(error)) => Err(Stop::Lost(error)),
        }
    }

    /// Does something that waits for the app-server, and takes in orders meanwhile. One to end the session leaves it only
    /// the time that an end has; `None` says that this was not enough.
    ///
    /// # Errors
    /// When the daemon lets go of the session.
    pub(super) async fn hearing<T>(&mut self, doing: impl Future<Output = T>) -> Driven<Option<T>> {
        let mut doing = pin!(doing);
        // It begins to run when it is looked at first.
        let mut patience = pin!(pause(END_ANSWER_MS_MAX));
        loop {
            let is_to_end = self.is_to_end();
            tokio::select! {
                biased;
                done = &mut doing => return Ok(Some(done)),
                () = &mut patience, if is_to_end => return Ok(None),
                order = self.orders.recv() => self.take_in(order)?,
            }
        }
    }

    /// Keeps an order until it can be carried out.
    ///
    /// # Errors
    /// When it is to let go of the session.
    pub(super) fn take_in(&mut self, order: Option<Order>) -> Driven {
        match order {
            None | Some(Order::LetGo) => Err(Stop::LetGo),
            // Whoever asks for a goal sees that nobody hears, and may ask again.
            Some(Order::Goal { .. }) if self.waiting.len() >= ORDERS_WAITING_MAX => Ok(()),
            Some(order) => {
                self.waiting.push_back(order);
                Ok(())
            }
        }
    }

    /// Whether the session is to end, by an order that is being carried out or waits for that.
    pub(super) fn is_to_end(&self) -> bool {
        self.ending.is_some() || self.waiting.iter().any(|order| matches!(order, Order::End { .. }))
    }
}

/// What an answer is that nobody waited for any longer.
pub(super) fn given_up() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "it did not answer before the session was to end")
}
