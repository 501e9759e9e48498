//! One server, several creators: where the environment of a session's creator is other than that of the server.
//!
//! What commands read goes along with the session's thread. What the app-server itself reads, such as the key of a
//! provider, it has from whoever started it, and that is told.

use std::collections::BTreeMap;
use std::io::{self, Read};

use adjutant_core::process::Incarnation;

use super::environment::is_of_server;
use super::limits::ENVIRONMENT_BYTES_MAX;
use crate::process::incarnation_of;

/// Variables of which each program has its own.
const APART: [&str; 4] = ["CODEX_HOME", "TERM", "COLORTERM", "HOSTNAME"];

/// The environment with which a process was started.
///
/// # Errors
/// When it cannot be read, or is another's by now.
pub(super) fn environment_of(process: &Incarnation) -> io::Result<BTreeMap<String, String>> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(format!("/proc/{}/environ", process.pid))?;
    file.take(ENVIRONMENT_BYTES_MAX).read_to_end(&mut bytes)?;
    if incarnation_of(process.pid)?.as_ref() != Some(process) {
        return Err(io::ErrorKind::NotFound.into());
    }
    let text = String::from_utf8_lossy(&bytes);
    let pairs = text.split('\0').filter_map(|pair| pair.split_once('='));
    Ok(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// What the commands of a session need besides, so that they have `wanted` and not what the server was started with.
pub(super) fn for_commands(
    wanted: &BTreeMap<String, String>,
    server: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let differing =
        wanted.iter().filter(|(name, value)| !APART.contains(&name.as_str()) && server.get(*name) != Some(value));
    differing.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The names of what the server itself reads and has otherwise, or that only one of the two has.
pub(super) fn unlike(
    wanted: &BTreeMap<String, String>,
    server: &BTreeMap<String, String>,
    named: &[String],
) -> Vec<String> {
    let names: std::collections::BTreeSet<&String> = wanted.keys().chain(server.keys()).collect();
    let is_read = |name: &str| !APART.contains(&name) && is_of_server(name, named);
    let unlike = names.into_iter().filter(|name| is_read(name) && wanted.get(*name) != server.get(*name));
    unlike.cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn commands_have_what_their_creator_has() {
        let server = environment(&[("PATH", "/a"), ("LANG", "C"), ("TERM", "x"), ("VIRTUAL_ENV", "/v")]);
        let wanted = environment(&[("PATH", "/b"), ("LANG", "C"), ("TERM", "y"), ("TZ", "UTC")]);
        assert_eq!(for_commands(&wanted, &server), environment(&[("PATH", "/b"), ("TZ", "UTC")]));
        assert!(for_commands(&server, &server).is_empty());
    }

    #[test]
    fn what_only_the_server_reads_is_named() {
        let server = environment(&[("OPENAI_API_KEY", "1"), ("MY_KEY", "1"), ("PATH", "/a"), ("HTTPS_PROXY", "p")]);
        let wanted = environment(&[("OPENAI_API_KEY", "2"), ("MY_KEY", "1"), ("PATH", "/b"), ("CODEX_API_KEY", "k")]);
        assert_eq!(
            unlike(&wanted, &server, &["MY_KEY".to_owned()]),
            ["CODEX_API_KEY", "HTTPS_PROXY", "OPENAI_API_KEY"]
        );
        let other = environment(&[("MY_KEY", "2")]);
        assert_eq!(unlike(&other, &environment(&[("MY_KEY", "1")]), &["MY_KEY".to_owned()]), ["MY_KEY"]);
    }

    #[test]
    fn the_environment_of_a_process_is_that_of_its_start() {
        let own = crate::process::own_incarnation().unwrap();
        let path = std::env::var("PATH").unwrap();
        assert_eq!(environment_of(&own).unwrap().get("PATH"), Some(&path));
        let other = Incarnation { start_ticks: own.start_ticks + 1, ..own };
        assert!(environment_of(&other).is_err());
    }
}
