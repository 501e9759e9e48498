//! Where `ssh` is to go: `box`, `user@box` or `ssh://user@box:port`.

use std::fmt;
use std::str::FromStr;

/// A destination of `ssh`, of a form that cannot be taken for anything else.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SshTarget(String);

/// Longest destination, in bytes: a user and a name of the DNS fit.
const BYTES_MAX: usize = 512;

impl SshTarget {
    /// As `ssh` takes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SshTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SshTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = |why: &str| Err(format!("{} {why}", text.escape_debug()));
        if text.is_empty() || text.len() > BYTES_MAX {
            return refused("is no name of a host");
        }
        if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return refused("holds white space or a control character");
        }
        // `ssh` puts user and host into commands of its configuration, such as `ProxyCommand`, and a shell runs these.
        if let Some(c) = text.chars().find(|c| "'`\"$\\;&<>|(){}*?!#^~".contains(*c)) {
            return refused(&format!("holds `{c}`, which no host's name has"));
        }
        let (uri, rest) = text.strip_prefix("ssh://").map_or((false, text), |rest| (true, rest));
        let rest = if uri { rest.strip_suffix('/').unwrap_or(rest) } else { rest };
        let (user, host) = rest.rsplit_once('@').map_or((None, rest), |(user, host)| (Some(user), host));
        let dashed = |part: &str| part.starts_with('-');
        if dashed(text) || dashed(host) || user.is_some_and(dashed) {
            return refused("begins with a dash");
        }
        if host.is_empty() || user.is_some_and(str::is_empty) || host.contains('/') || (!uri && text.contains("://")) {
            return refused("is neither `host`, `user@host` nor `ssh://user@host:port`");
        }
        Ok(Self(if uri { format!("ssh://{rest}") } else { rest.to_owned() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations() {
        for good in ["box", "user@box", "ssh://box", "ssh://user@box:2222", "10.0.0.1", "ssh://u@[::1]:22", "a.b-c_d"] {
            assert_eq!(good.parse::<SshTarget>().unwrap().as_str(), good);
        }
        assert_eq!("ssh://box/".parse::<SshTarget>().unwrap().as_str(), "ssh://box");
    }

    #[test]
    fn what_could_be_an_option_or_a_command_is_no_destination() {
        let long = "x".repeat(600);
        for bad in [
            "",
            "-oProxyCommand=id",
            "ssh://-oProxyCommand=id",
            "u@-x",
            "-u@x",
            "a b",
            "a\tb",
            "a\nb",
            "a\0b",
            "a;b",
            "$(id)",
            "`id`",
            "a|b",
            "ssh://",
            "ssh://u@",
            "@x",
            "ssh://box/path",
            "http://box",
            "a/b",
            "a'b",
            "\u{a0}",
            &long,
        ] {
            assert!(bad.parse::<SshTarget>().is_err(), "{bad:?}");
        }
    }
}
