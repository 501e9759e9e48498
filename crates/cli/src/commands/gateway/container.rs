//! How a container is started so that `adj` in it finds the gateway: a command to be copied, and filled in at its end.

use std::path::Path;

use adjutant_api::types::gateway::GatewayStatus;

/// Where the directory of the gateway's socket is mounted. Not the socket alone: the next gateway makes another one.
const GATE: &str = "/gate";

/// How it is mounted: a container that could write there could put a socket of its own in the place of the gateway's, and be
/// told the tokens of all others. A socket is connected to all the same.
const GATE_READ_ONLY: &str = "/gate:ro";

/// The command for a container whose workspace is `root`, with `adj` at a path of this host; `None` while no gateway runs.
pub(super) fn command(adj: &str, root: &str, gateway: Option<&GatewayStatus>) -> Option<String> {
    let way = gateway?.addresses.iter().filter_map(|address| way(address)).max_by_key(|(rank, _)| *rank)?.1;
    let words = [
        mount(adj, "/usr/local/bin/adj:ro"),
        mount(root, "/workspace"),
        way,
        variable("ADJ_SANDBOX", "1"),
        variable("ADJ_HOST_PATH", root),
        "-e ADJ_GATEWAY_TOKEN".to_owned(),
    ];
    Some(format!("docker run {} <image> <command>", words.join(" ")))
}

/// The words by which an address is reached from a container, and how good a way that is: a socket before a port, and a port
/// that is open to others before one that only this machine reaches.
fn way(address: &str) -> Option<(u8, String)> {
    if let Some(socket) = address.strip_prefix("unix:") {
        let (directory, name) = (Path::new(socket).parent()?.to_str()?, Path::new(socket).file_name()?.to_str()?);
        let url = variable("ADJ_GATEWAY_URL", &format!("unix:{GATE}/{name}"));
        return Some((2, format!("{} {url}", mount(directory, GATE_READ_ONLY))));
    }
    let port = address.rsplit_once(':')?.1;
    if address.starts_with("http://127.") || address.starts_with("http://[::1]") {
        return Some((0, format!("--network host {}", variable("ADJ_GATEWAY_URL", address))));
    }
    let url = variable("ADJ_GATEWAY_URL", &format!("http://host.docker.internal:{port}"));
    Some((1, format!("--add-host host.docker.internal:host-gateway {url}")))
}

fn mount(host: &str, container: &str) -> String {
    format!("-v {}", quoted(&format!("{host}:{container}")))
}

fn variable(name: &str, value: &str) -> String {
    format!("-e {}", quoted(&format!("{name}={value}")))
}

/// A word as a shell reads it back.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./:=@%+,-".contains(c);
    match word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(root: &str, addresses: &[&str]) -> String {
        let gateway = GatewayStatus {
            pid: 1,
            version: String::new(),
            addresses: addresses.iter().map(|address| (*address).to_owned()).collect(),
            port: None,
            uptime_ms: 0,
            connections: 0,
            requests: 0,
            refused: 0,
            daemon: true,
        };
        command("/opt/adj", root, Some(&gateway)).unwrap()
    }

    #[test]
    fn a_container_is_told_the_best_way_in() {
        assert_eq!(
            told("/srv/app", &["http://127.0.0.1:6767", "unix:/srv/gate/adj.sock"]),
            "docker run -v /opt/adj:/usr/local/bin/adj:ro -v /srv/app:/workspace -v /srv/gate:/gate:ro \
             -e ADJ_GATEWAY_URL=unix:/gate/adj.sock -e ADJ_SANDBOX=1 -e ADJ_HOST_PATH=/srv/app -e ADJ_GATEWAY_TOKEN \
             <image> <command>"
        );
        let port = told("/srv/app", &["http://172.17.0.1:6767"]);
        assert!(port.contains("host.docker.internal:host-gateway -e ADJ_GATEWAY_URL=http://host.docker.internal:6767"));
        assert!(
            told("/srv/app", &["http://127.0.0.1:1"]).contains("--network host -e ADJ_GATEWAY_URL=http://127.0.0.1:1 ")
        );
        assert!(told("/srv/it's $x", &["http://127.0.0.1:1"]).contains(r"-v '/srv/it'\''s $x:/workspace'"));
        assert_eq!(command("/opt/adj", "/srv/app", None), None);
    }
}
