//! A gateway: the same calls over TCP or a Unix socket that is mounted into a container.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::connect::{LOCALHOST, Link, connect};
use crate::error::ClientError;
use crate::limits;

/// A gateway, and the variable that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// Where it is.
    pub url: GatewayUrl,
    /// The variable that says so, or would.
    pub variable: &'static str,
}

/// Where a gateway is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GatewayUrl {
    /// `http://host:port`.
    Http {
        /// The host, an IPv6 address without its brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// `unix:/path`.
    Unix(PathBuf),
}

/// The port of a gateway of which nothing else is said.
const PORT: u16 = 6767;

impl GatewayUrl {
    /// The usual place, seen from a container.
    pub fn usual(port: Option<u16>) -> Self {
        Self::Http { host: "host.docker.internal".to_owned(), port: port.unwrap_or(PORT) }
    }

    /// Reads a URL; `port` is for one that names none.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str, port: Option<u16>) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = PathBuf::from(path.strip_prefix("//").unwrap_or(path));
            return if path.is_absolute() { Ok(Self::Unix(path)) } else { Err("names no absolute path".to_owned()) };
        }
        if text.starts_with("https:") {
            return Err("begins with `https:`, which this version does not speak; use `http:` or `unix:`".to_owned());
        }
        let Some(rest) = text.strip_prefix("http://") else {
            return Err("begins neither with `http://` nor with `unix:`".to_owned());
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(|c: char| matches!(c, '/' | '?' | '#' | '@') || c.is_whitespace() || c.is_control()) {
            return Err("holds more than `http://host:port`".to_owned());
        }
        let (host, named) = split(authority)?;
        if host.is_empty() {
            return Err("names no host".to_owned());
        }
        Ok(Self::Http { host: host.to_owned(), port: named.or(port).unwrap_or(PORT) })
    }
}

fn split(authority: &str) -> Result<(&str, Option<u16>), String> {
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => (address, rest.strip_prefix(':').filter(|_| !rest.is_empty())),
        None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    let number = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    match port {
        None => Ok((host, None)),
        Some(text) => number(text).map(|port| (host, Some(port))).ok_or_else(|| "has no port number".to_owned()),
    }
}

impl FromStr for GatewayUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::read(text, None)
    }
}

impl fmt::Display for GatewayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http { host, port } if host.contains(':') => write!(f, "http://[{host}]:{port}"),
            Self::Http { host, port } => write!(f, "http://{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Gateway {
    /// Connects.
    pub(crate) async fn link(&self) -> Result<Link, ClientError> {
        match &self.url {
            GatewayUrl::Http { host, port } => {
                let connected = timeout(limits::CONNECT, TcpStream::connect((host.as_str(), *port))).await;
                let connected = connected.map_err(|_| self.unreachable(late()))?;
                let stream = connected.map_err(|error| self.unreachable(error.to_string()))?;
                // Calls are small, and their answers are waited for.
                let _ = stream.set_nodelay(true);
                let authority = self.url.to_string().trim_start_matches("http://").to_owned();
                Link::over(stream, authority).await
            }
            GatewayUrl::Unix(path) => match connect(path).await {
                Ok(Some(stream)) => Link::over(stream, LOCALHOST).await,
                Ok(None) => Err(self.unreachable("nothing listens there".to_owned())),
                Err(error) => Err(self.unreachable(error.to_string())),
            },
        }
    }

    /// What it is called in errors.
    pub(crate) fn name(&self) -> String {
        self.url.to_string()
    }

    /// It cannot be reached now.
    pub(crate) fn unreachable(&self, detail: String) -> ClientError {
        ClientError::GatewayUnreachable { url: self.name(), variable: self.variable, detail }
    }
}

fn late() -> String {
    format!("no connection within {} s", limits::CONNECT.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, shown) in [
            ("http://host.docker.internal:7000", "http://host.docker.internal:7000"),
            ("http://127.0.0.1", "http://127.0.0.1:6767"),
            ("http://localhost:80/", "http://localhost:80"),
            ("http://[::1]:9", "http://[::1]:9"),
            ("http://[::1]", "http://[::1]:6767"),
            ("unix:/run/adj.sock", "unix:/run/adj.sock"),
            ("unix:///run/adj.sock", "unix:/run/adj.sock"),
        ] {
            assert_eq!(text.parse::<GatewayUrl>().map(|url| url.to_string()), Ok(shown.to_owned()));
        }
        assert_eq!(GatewayUrl::read("http://x", Some(5)).unwrap().to_string(), "http://x:5");
        assert_eq!(GatewayUrl::usual(None).to_string(), "http://host.docker.internal:6767");
    }

    #[test]
    fn what_is_no_address_says_so() {
        for bad in [
            "",
            "x",
            "ftp://x",
            "https://x",
            "http://",
            "http://:80",
            "http://x:0",
            "http://x:abc",
            "http://x:70000",
            "http://u@x",
            "http://x/path",
            "http://x?y",
            "unix:",
            "unix:rel/path",
            "http://a b",
        ] {
            assert!(bad.parse::<GatewayUrl>().is_err(), "{bad:?}");
        }
    }
}
