//! Just enough HTTP/1.1 over a Unix socket: one connection that is kept, one call after the other.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// How long an answer may take before the bench gives up.
const DEADLINE: Duration = Duration::from_secs(30);

/// The longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// A kept connection to the daemon.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: BufReader<UnixStream>,
}

impl Connection {
    /// Connects once.
    pub(crate) fn open(socket: &Path) -> Result<Self> {
        let stream = UnixStream::connect(socket).with_context(|| format!("cannot connect to {}", socket.display()))?;
        stream.set_read_timeout(Some(DEADLINE)).context("cannot set a deadline")?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Posts JSON and returns the body of the answer; any status but success is an error.
    pub(crate) fn post(&mut self, path: &str, json: &str) -> Result<Vec<u8>> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            json.len()
        );
        // In one write, so that the daemon is not woken for half a call.
        self.stream.get_mut().write_all(&[head.as_bytes(), json.as_bytes()].concat())?;
        let (status, body) = answer(&mut self.stream)?;
        if !(200..300).contains(&status) {
            bail!("POST {path} was answered with {status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(body)
    }
}

fn answer(from: &mut impl BufRead) -> Result<(u16, Vec<u8>)> {
    let first = line(from)?;
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.with_context(|| format!("no HTTP answer: {first}"))?;
    let length = content_length(from)?.context("an answer without a length")?;
    if length > ANSWER_BYTES_MAX {
        bail!("an answer of {length} bytes");
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).context("an answer that ends in the middle")?;
    Ok((status, body))
}

/// Reads the headers to their end.
fn content_length(from: &mut impl BufRead) -> Result<Option<usize>> {
    let mut length = None;
    loop {
        let header = line(from)?;
        match header.split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.trim().parse().ok(),
            Some(_) => {}
            None => return Ok(length),
        }
    }
}

fn line(from: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    from.read_line(&mut line).context("no answer")?;
    Ok(line.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_follow_one_another_on_one_connection() {
        let mut bytes: &[u8] = b"HTTP/1.1 201 Created\r\ncontent-LENGTH: 2\r\nx: y\r\n\r\n{}HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(answer(&mut bytes).unwrap(), (201, b"{}".to_vec()));
        assert_eq!(answer(&mut bytes).unwrap(), (404, Vec::new()));
        assert!(answer(&mut bytes).is_err());
    }

    #[test]
    fn an_answer_without_a_length_is_an_error() {
        let mut bytes: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        assert!(answer(&mut bytes).is_err());
    }
}
