//! Those who look at a terminal that a runner holds.

use tokio::io::AsyncWriteExt;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::mpsc;

use super::frame::Frame;
use crate::limits::{VIEWER_FRAMES_MAX, VIEWERS_MAX};

/// Somebody who looks at the terminal.
#[derive(Debug)]
struct Viewer {
    number: u64,
    read_only: bool,
    frames: mpsc::Sender<Vec<u8>>,
    /// Took output too slowly: some was left out, and the screen is shown anew when there is room.
    lagging: bool,
}

impl Viewer {
    /// Sends a frame, unless the viewer takes them too slowly.
    fn send(&mut self, frame: &Frame) {
        if self.lagging || self.frames.try_send(frame.encode()).is_err() {
            self.lagging = true;
        }
    }
}

/// All who look at the terminal.
#[derive(Debug, Default)]
pub(crate) struct Viewers {
    all: Vec<Viewer>,
}

impl Viewers {
    /// Shows output to everybody.
    pub(crate) fn show(&mut self, bytes: &[u8]) {
        if !self.all.is_empty() {
            self.send(&Frame::Output(bytes.to_vec()));
        }
    }

    /// Sends a frame to everybody.
    pub(crate) fn send(&mut self, frame: &Frame) {
        self.all.iter_mut().for_each(|viewer| viewer.send(frame));
    }

    /// Somebody who may type is there.
    pub(crate) fn is_attended(&self) -> bool {
        self.all.iter().any(|viewer| !viewer.read_only)
    }

    /// Somebody missed some of it.
    pub(crate) fn is_lagging(&self) -> bool {
        self.all.iter().any(|viewer| viewer.lagging)
    }

    /// Whether this one may type.
    pub(crate) fn may_type(&self, number: u64) -> bool {
        self.all.iter().any(|viewer| viewer.number == number && !viewer.read_only)
    }

    /// Takes somebody in, who is shown the size and what the screen shows; unless too many are there.
    pub(crate) fn open(
        &mut self,
        number: u64,
        read_only: bool,
        outlet: OwnedWriteHalf,
        (columns, rows): (u16, u16),
        screen: Vec<u8>,
    ) {
        let (frames, waiting) = mpsc::channel(VIEWER_FRAMES_MAX);
        tokio::spawn(write_frames(outlet, waiting));
        let mut viewer = Viewer { number, read_only, frames, lagging: false };
        if self.all.len() >= VIEWERS_MAX {
            return viewer.send(&Frame::Closed(format!("{VIEWERS_MAX} others look at this terminal already")));
        }
        viewer.send(&Frame::Opened { columns, rows });
        viewer.send(&Frame::Output(screen));
        self.all.push(viewer);
    }

    /// Takes leave of somebody.
    pub(crate) fn remove(&mut self, number: u64) {
        self.all.retain(|viewer| viewer.number != number);
    }

    /// Shows the screen anew to those who missed some of it and have room again; says whether there was one.
    pub(crate) fn catch_up(&mut self, screen: &[u8]) -> bool {
        let repaint = Frame::Output([b"\x1b[2J\x1b[H", screen].concat());
        let mut any = false;
        for viewer in self.all.iter_mut().filter(|viewer| viewer.lagging) {
            if viewer.frames.capacity() == viewer.frames.max_capacity() {
                viewer.lagging = false;
                viewer.send(&repaint);
                any = true;
            }
        }
        any
    }

    /// Tells everybody that it is over.
    pub(crate) fn close(&mut self, why: &str) {
        let closed = Frame::Closed(why.to_owned()).encode();
        for viewer in self.all.drain(..) {
            // One that takes nothing sees the connection end.
            let _ = viewer.frames.try_send(closed.clone());
        }
    }
}

/// Writes frames to a viewer until there are no more, or the viewer is gone.
async fn write_frames(mut outlet: OwnedWriteHalf, mut frames: mpsc::Receiver<Vec<u8>>) {
    while let Some(frame) = frames.recv().await {
        if outlet.write_all(&frame).await.is_err() {
            return;
        }
    }
}
