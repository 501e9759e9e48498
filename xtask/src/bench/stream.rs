//! Many streams of events read by few threads, so that what is measured is the daemon's work and not the readers'.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, Result, bail};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

use super::clock::day_ns;

/// One of so many streams is read word for word; of the others only the events are counted.
const SAMPLED_EVERY: usize = 25;

/// Streams that are reported ready at once, at most.
const READY_MAX: usize = 256;

/// How much is kept of the end of a stream that is not sampled: a few events.
const REST_BYTES: usize = 2048;

/// What stands before an event's own time in its JSON.
const AT: &[u8] = br#""at":""#;

/// What a reader has seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Events, over the sampled streams.
    pub(crate) events: u64,
    /// The last cursor among them.
    pub(crate) cursor: u64,
    /// Those streams.
    pub(crate) sampled: u64,
    /// From an event's own time, which is cut to milliseconds, to its arrival, in nanoseconds, over the sampled streams.
    pub(crate) delays_ns: Vec<u64>,
    /// Streams that have ended.
    pub(crate) ended: usize,
}

/// Open streams with one who waits for all of them.
pub(crate) struct Streams {
    poll: rustix::fd::OwnedFd,
    streams: Vec<UnixStream>,
    rests: Vec<Vec<u8>>,
    pub(crate) seen: Seen,
}

impl Streams {
    /// Opens so many streams of one path.
    pub(crate) fn open(socket: &Path, path: &str, count: usize) -> Result<Self> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC).context("no epoll")?;
        let mut streams = Vec::with_capacity(count);
        for place in 0..count {
            let mut stream = UnixStream::connect(socket).with_context(|| format!("stream {place} is refused"))?;
            stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())?;
            stream.set_nonblocking(true)?;
            let data = epoll::EventData::new_u64(place as u64);
            epoll::add(&poll, &stream, data, epoll::EventFlags::IN).context("a stream cannot be waited for")?;
            streams.push(stream);
        }
        let seen = Seen { sampled: count.div_ceil(SAMPLED_EVERY) as u64, ..Seen::default() };
        Ok(Self { poll, rests: vec![Vec::new(); streams.len()], streams, seen })
    }

    /// Reads what comes, until nothing has come for so long, in milliseconds.
    pub(crate) fn read_until_quiet(&mut self, quiet_ms: i64) -> Result<()> {
        let limit = Timespec { tv_sec: quiet_ms / 1000, tv_nsec: quiet_ms % 1000 * 1_000_000 };
        let mut ready = Vec::with_capacity(READY_MAX);
        loop {
            ready.clear();
            epoll::wait(&self.poll, spare_capacity(&mut ready), Some(&limit)).context("waiting for the streams")?;
            if ready.is_empty() {
                return Ok(());
            }
            for event in &ready {
                let place = usize::try_from(event.data.u64()).unwrap_or_default();
                self.read(place)?;
            }
        }
    }

    /// How many of the streams that are not sampled have come to this cursor.
    pub(crate) fn arrived_at(&self, cursor: u64) -> usize {
        let others = self.rests.iter().enumerate().filter(|(place, _)| !place.is_multiple_of(SAMPLED_EVERY));
        others.filter(|(_, rest)| last_cursor(rest) == Some(cursor)).count()
    }

    fn read(&mut self, place: usize) -> Result<()> {
        let mut bytes = [0; 64 * 1024];
        let Some(stream) = self.streams.get_mut(place) else { bail!("no stream {place}") };
        match stream.read(&mut bytes) {
            Ok(0) => {
                epoll::delete(&self.poll, &*stream).context("a stream that has ended")?;
                self.seen.ended += 1;
            }
            Ok(count) => self.take(place, bytes.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error).context("a stream broke"),
        }
        Ok(())
    }

    fn take(&mut self, place: usize, bytes: &[u8]) {
        let Some(rest) = self.rests.get_mut(place) else { return };
        if !place.is_multiple_of(SAMPLED_EVERY) {
            // This program is not optimised, and reading must not cost more than writing.
            let kept = bytes.get(bytes.len().saturating_sub(REST_BYTES)..).unwrap_or_default();
            rest.extend_from_slice(kept);
            rest.drain(..rest.len().saturating_sub(REST_BYTES));
            return;
        }
        rest.extend_from_slice(bytes);
        let whole = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let now = day_ns();
        self.seen.cursor = self.seen.cursor.max(last_cursor(rest.get(..whole).unwrap_or_default()).unwrap_or(0));
        for line in rest.get(..whole).unwrap_or_default().split(|byte| *byte == b'\n') {
            let Some(at) = line.windows(AT.len()).position(|window| window == AT) else { continue };
            self.seen.events += 1;
            let at = line.get(at + AT.len()..).and_then(time_ns);
            self.seen.delays_ns.extend(at.map(|at| now.saturating_sub(at)));
        }
        rest.drain(..whole);
    }
}

/// The last cursor in these bytes.
fn last_cursor(bytes: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(bytes);
    text.lines().rev().find_map(|line| line.strip_prefix("id: ")?.parse().ok())
}

/// The nanoseconds since midnight of a time such as `2026-11-20T09:12:00.262Z`.
pub(super) fn time_ns(text: &[u8]) -> Option<u64> {
    let clock = std::str::from_utf8(text.get(11..23)?).ok()?;
    let numbers: Vec<u64> = clock.split([':', '.']).map_while(|number| number.parse().ok()).collect();
    let [hours, minutes, seconds, ms] = numbers[..] else { return None };
    Some((((hours * 60 + minutes) * 60 + seconds) * 1_000 + ms) * 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_cursor_is_found_behind_half_a_record() {
        assert_eq!(last_cursor(b"1\ndata: {}\n\nid: 22\ndata: {}\n\n"), Some(22));
        assert_eq!(last_cursor(b"data"), None);
    }

    #[test]
    fn times_of_a_day() {
        assert_eq!(time_ns(b"2026-11-20T01:02:03.250Z\""), Some(3_723_250_000_000));
        assert_eq!(time_ns(b"2026-11-20"), None);
    }
}
