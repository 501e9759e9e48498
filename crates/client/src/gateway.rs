//! A gateway: the same calls over TCP or a Unix socket that is mounted into a container.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::connect::{LOCALHOST, Link, connect};
use crate::error::ClientError;
use crate::{limits, tls};

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
    /// `https://host:port`: a gateway behind a proxy that speaks TLS.
    Https {
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

/// The port of TLS.
const TLS_PORT: u16 = 443;

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
        let (rest, is_secure) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
            (Some(rest), _) => (rest, false),
            (None, Some(rest)) => (rest, true),
            (None, None) => return Err("begins neither with `http://`, nor `https://`, nor `unix:`".to_owned()),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(|c: char| matches!(c, '/' | '?' | '#' | '@') || c.is_whitespace() || c.is_control()) {
            return Err("holds more than a host and a port".to_owned());
        }
        let (host, named) = split(authority)?;
        if host.is_empty() {
            return Err("names no host".to_owned());
        }
        let (host, named) = (host.to_owned(), named.or(port));
        Ok(match is_secure {
            true => Self::Https { host, port: named.unwrap_or(TLS_PORT) },
            false => Self::Http { host, port: named.unwrap_or(PORT) },
        })
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
            Self::Http { host, port } => write!(f, "http://{}", authority(host, *port)),
            Self::Https { host, port } => write!(f, "https://{}", authority(host, *port)),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// What `Host` says.
fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

impl Gateway {
    /// Connects.
    pub(crate) async fn link(&self) -> Result<Link, ClientError> {
        match &self.url {
            GatewayUrl::Http { host, port } => Link::over(self.dial(host, *port).await?, authority(host, *port)).await,
            GatewayUrl::Https { host, port } => {
                let stream = self.dial(host, *port).await?;
                let secured = timeout(limits::CONNECT, tls::over(stream, host)).await;
                let secured = secured.map_err(|_| self.unreachable(late()))?;
                Link::over(secured.map_err(|why| self.unreachable(why))?, authority(host, *port)).await
            }
            GatewayUrl::Unix(path) => match connect(path).await {
                Ok(Some(stream)) => Link::over(stream, LOCALHOST).await,
                Ok(None) => Err(self.unreachable("nothing listens there".to_owned())),
                Err(error) => Err(self.unreachable(error.to_string())),
            },
        }
    }

    async fn dial(&self, host: &str, port: u16) -> Result<TcpStream, ClientError> {
        let connected = timeout(limits::CONNECT, TcpStream::connect((host, port))).await;
        let connected = connected.map_err(|_| self.unreachable(late()))?;
        let stream = connected.map_err(|error| self.unreachable(error.to_string()))?;
        // Calls are small, and their answers are waited for.
        let _ = stream.set_nodelay(true);
        Ok(stream)
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
            ("https://box.example", "https://box.example:443"),
            ("https://[::1]:8443/", "https://[::1]:8443"),
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
            "https:x",
            "https://u@x",
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
