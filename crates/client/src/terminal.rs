//! The terminal of a session, as a connection of raw frames.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use adjutant_api::methods;
use adjutant_api::protocol::TERMINAL_UPGRADE;
use adjutant_api::types::session::TerminalQuery;
use hyper::StatusCode;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::Client;
use crate::call::Call;
use crate::error::ClientError;

/// A connection that has switched to frames; what they mean is for both its ends to know.
pub struct Terminal(TokioIo<Upgraded>);

impl Client {
    /// Opens the terminal of a session.
    ///
    /// # Errors
    /// What the daemon says of the call, or why there is no daemon.
    pub async fn terminal(&mut self, session: &str, view: &TerminalQuery) -> Result<Terminal, ClientError> {
        let call = Call::new(&methods::TERMINAL, &[session]).query(view).upgrading(TERMINAL_UPGRADE);
        let response = self.open_call(&call).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(ClientError::Malformed { detail: "the daemon did not switch to frames".to_owned() });
        }
        let upgraded = hyper::upgrade::on(response).await;
        upgraded.map(TokioIo::new).map(Terminal).map_err(|error| crate::connect::lost(&error, false))
    }
}

impl AsyncRead for Terminal {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Terminal {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
