//! A line per request, for whoever watches a server that is a program.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use serde_json::json;

use crate::record::Request;

#[derive(Debug)]
pub(crate) struct Log {
    file: Mutex<File>,
}

impl Log {
    pub(crate) fn open(path: PathBuf) -> std::io::Result<Self> {
        let file = File::options().append(true).create(true).open(path)?;
        Ok(Self { file: Mutex::new(file) })
    }

    /// A full disk costs lines of the log, never answers.
    pub(crate) fn note(&self, request: &Request, status: u16) {
        let Request { number, at_ms, method, path, query, headers, body } = request;
        let body = serde_json::from_slice(body).unwrap_or_else(|_| json!(String::from_utf8_lossy(body)));
        let line = json!({
            "number": number, "at_ms": at_ms, "method": method, "path": path, "query": query, "headers": headers,
            "body": body, "status": status,
        });
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = file.write_all(format!("{line}\n").as_bytes());
    }
}
