//! Coming back to a server that went away, or that another daemon spoke to.

use std::io;

use adjutant_core::agent::{AgentReport, SessionEnd};
use adjutant_core::outcome::UnknownReason;

use super::asking::given_up;
use super::{Driven, Driver, Stop, Timer};
use crate::Order;
use crate::codex::limits::{CONNECT_MS_MAX, CONNECT_MS_MIN, DEAF_OPENINGS_MAX, INTERRUPT_MS_MAX};
use crate::codex::server::Held;
use crate::codex::wire::Link;
use crate::timer::{Backoff, pause};

impl Driver {
    /// Follows the session until it has ended. `link` is a connection that is there already.
    pub(super) async fn follow(&mut self, mut link: Option<Link>) -> Driven {
        let mut backoff = Backoff::new(CONNECT_MS_MIN, CONNECT_MS_MAX);
        loop {
            let stop = match self.follow_once(link.take(), &mut backoff).await {
                Ok(()) => return Ok(()),
                Err(stop) => stop,
            };
            let Stop::Lost(error) = stop else { return Err(stop) };
            if self.is_to_end() {
                let why = format!("the session was ended while its app-server did not answer: {error}");
                return Err(self.over(SessionEnd::Killed, &why).await);
            }
            self.on_lost(&error).await?;
            self.wait_with_orders(backoff.next_ms()).await?;
        }
    }

    async fn follow_once(&mut self, link: Option<Link>, backoff: &mut Backoff) -> Driven {
        let mut link = match link {
            Some(link) => link,
            None => {
                let mut link = self.connect().await?;
                self.reconcile(&mut link).await?;
                link
            }
        };
        backoff.reset();
        self.converse(&mut link).await
    }

    async fn connect(&mut self) -> Driven<Link> {
        match self.servers.claimed(&self.notes.server, self.server_plan()).await {
            Ok(Some(held)) => {
                let link = self.hearing(Link::open(&held.socket)).await;
                self.held = Some(held.clone());
                let link = link?.ok_or_else(given_up)?;
                self.mind_deafness(&link, &held).await?;
                Ok(link?)
            }
            Ok(None) => Err(self.server_gone().await),
            Err(error) => Err(Stop::Lost(error)),
        }
    }

    /// A server that hangs is as good as none: nothing but its end brings it back.
    async fn mind_deafness(&mut self, link: &io::Result<Link>, held: &Held) -> Driven {
        let is_deaf = link.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::TimedOut);
        self.deaf_openings = if is_deaf { self.deaf_openings + 1 } else { 0 };
        if self.deaf_openings < DEAF_OPENINGS_MAX {
            return Ok(());
        }
        self.deaf_openings = 0;
        self.notice("the app-server takes connections and does not answer; it is ended and started again").await?;
        let servers = std::sync::Arc::clone(&self.servers);
        let directory = self.notes.server.clone();
        match self.hearing(servers.end_deaf(&directory, held)).await? {
            Some(ended) => Ok(ended?),
            None => Err(given_up().into()),
        }
    }

    /// The holder of the server was killed: the server goes on, and gets another one.
    pub(super) async fn on_holder_gone(&mut self, link: &Link) -> Driven {
        self.holder = None;
        if let Ok(Some(held)) = self.servers.claimed(&self.notes.server, self.server_plan()).await {
            self.held = Some(held);
            self.tell_of_life(link).await?;
        }
        Ok(())
    }

    /// Nothing can be seen for now. Timers of what was seen mean nothing any more.
    async fn on_lost(&mut self, error: &io::Error) -> Driven {
        for timer in [Timer::Origin, Timer::Missed, Timer::Queued, Timer::Silence, Timer::Interrupt] {
            self.timers.disarm(timer);
        }
        self.is_strange = false;
        if std::mem::replace(&mut self.is_unseen, true) {
            return Ok(());
        }
        let why = UnknownReason::RunnerUnreachable { detail: format!("the app-server: {error}") };
        self.report(AgentReport::Unseen { why }).await
    }

    /// Waits until it is time to try again. Orders wait meanwhile; an end that cannot be had politely is taken.
    pub(super) async fn wait_with_orders(&mut self, pause_ms: u64) -> Driven {
        let is_over = async {
            loop {
                if self.timers.due().await == Timer::End {
                    return;
                }
            }
        };
        tokio::select! {
            () = pause(pause_ms) => return Ok(()),
            () = is_over => {}
            order = self.orders.recv() => {
                if let Some(Order::End { grace_ms }) = order {
                    self.ending = Some(grace_ms);
                    self.timers.arm(Timer::End, grace_ms.min(INTERRUPT_MS_MAX));
                }
                return self.take_in(order);
            }
        }
        // The server does not answer, so its claim and the session's own processes are all that can be taken back.
        Err(self.over(SessionEnd::Killed, "the session was ended while its app-server did not answer").await)
    }
}
