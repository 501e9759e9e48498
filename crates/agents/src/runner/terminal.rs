//! Opening a session's terminal from the daemon's side.

use std::io;

use adjutant_core::process::Incarnation;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

use super::link::connect;
use super::wire::{Hello, line_of};
use crate::Place;

/// How a terminal is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Characters in a row of the viewer's terminal.
    pub columns: u16,
    /// Its rows.
    pub rows: u16,
    /// Only look: neither type nor give the terminal the viewer's size.
    pub read_only: bool,
}

/// Opens the terminal of a session that has one. What comes back speaks the frames of [`super::frame`] in both
/// directions, the first being [`super::frame::Frame::Opened`]; whoever stands between runner and viewer only copies
/// bytes. Closing it leaves the session as it is.
///
/// # Errors
/// When the runner cannot be reached, or is not the one on record.
pub async fn open_terminal(place: &Place, runner: &Incarnation, view: View) -> io::Result<UnixStream> {
    let mut stream = connect(&place.run_dir, runner).await?;
    let View { columns, rows, read_only } = view;
    stream.write_all(&line_of(&Hello::Terminal { columns, rows, read_only })).await?;
    Ok(stream)
}
