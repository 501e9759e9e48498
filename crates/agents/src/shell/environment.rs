//! The environment of a shell: the caller's, without what agents set for their own children.

use std::collections::BTreeMap;

use crate::path::path_with_adj;
use crate::process::Stamp;
use crate::{LaunchPlan, Place};

/// Variables by which a program recognises that it runs under an agent or in a terminal that is not this one.
const MARKERS: [&str; 8] =
    ["CLAUDECODE", "AI_AGENT", "GEMINI_CLI", "TMUX", "TMUX_PANE", "COLUMNS", "LINES", "PROMPT_COMMAND"];

/// Variables that bash takes orders from before it has read its loop: which options it has, and when it gives up
/// waiting for somebody to type. `TMOUT` would end it in the middle of a message.
const ORDERS: [&str; 3] = ["SHELLOPTS", "BASHOPTS", "TMOUT"];

/// Beginnings of the names of such marks.
const MARKER_PREFIXES: [&str; 5] = ["CLAUDE_CODE_", "CODEX_", "OPENCODE", "ADJ_", "GEMINI_CLI_"];

/// Builds the environment: what the caller had, without the markers; then defaults; then what `--env` names; last the
/// session's identity, which nothing overrides.
///
/// `PAGER` and `GIT_PAGER` are `cat` unless `--env` says otherwise, whatever the caller's are: a pager would wait
/// for a key that nobody presses. Keys of services, such as `ANTHROPIC_API_KEY`, are the caller's own and stay.
pub(super) fn environment(launch: &LaunchPlan, place: &Place, stamp: &Stamp) -> BTreeMap<String, String> {
    let caller = launch.caller_environment.iter().filter(|(name, _)| !is_left_out(name));
    let mut environment: BTreeMap<String, String> = caller.map(|(name, value)| (name.clone(), value.clone())).collect();
    environment.entry("TERM".to_owned()).or_insert_with(|| "xterm-256color".to_owned());
    if environment.get("TERM").is_some_and(|term| term == "dumb" || term.is_empty()) {
        environment.insert("TERM".to_owned(), "xterm-256color".to_owned());
    }
    for pager in ["PAGER", "GIT_PAGER"] {
        environment.insert(pager.to_owned(), "cat".to_owned());
    }
    environment.extend(launch.extra_environment.clone());
    let path = environment.get("PATH").cloned().unwrap_or_default();
    environment.insert("PATH".to_owned(), path_with_adj(&path, &place.adj));
    environment.extend(launch.identity.clone());
    environment.insert(Stamp::VARIABLE.to_owned(), stamp.as_str().to_owned());
    // Neither a name without letters nor a zero byte can be handed to a process.
    environment.retain(|name, value| !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0'));
    environment
}

fn is_left_out(name: &str) -> bool {
    MARKERS.contains(&name) || ORDERS.contains(&name) || MARKER_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn built(caller: &[(&str, &str)], extra: &[(&str, &str)]) -> BTreeMap<String, String> {
        let launch = LaunchPlan {
            program: "/bin/bash".into(),
            directory: "/".into(),
            caller_environment: map(caller),
            extra_environment: map(extra),
            identity: map(&[("ADJ_SESSION", "fizz-top")]),
            inherited: crate::process::Inherited::default(),
            ready_ms_max: 1,
            profile: crate::conversation::tests::profile(),
            trust: false,
            begins_anew: false,
        };
        let place = Place {
            state_dir: "/s".into(),
            run_dir: "/r".into(),
            adj: "/opt/adjutant/adj".into(),
            host_id: "h".into(),
        };
        environment(&launch, &place, &Stamp::from_text("h/u".into()))
    }

    #[test]
    fn markers_of_agents_go_and_the_callers_own_stays() {
        let caller = [
            ("CLAUDECODE", "1"),
            ("CLAUDE_CODE_ENTRYPOINT", "cli"),
            ("CODEX_SANDBOX", "x"),
            ("TMUX", "/tmp/x"),
            ("LINES", "24"),
            ("SHELLOPTS", "noglob:posix"),
            ("BASHOPTS", "extdebug"),
            ("TMOUT", "900"),
            ("ADJ_SESSION", "outer"),
            ("ADJ_STAMP", "outer"),
            ("ANTHROPIC_API_KEY", "k"),
            ("MY_VAR", "a\nb"),
            ("PATH", "/nowhere"),
        ];
        let got = built(&caller, &[]);
        let expected = [
            ("ADJ_SESSION", "fizz-top"),
            ("ADJ_STAMP", "h/u"),
            ("ANTHROPIC_API_KEY", "k"),
            ("GIT_PAGER", "cat"),
            ("MY_VAR", "a\nb"),
            ("PAGER", "cat"),
            ("PATH", "/nowhere:/opt/adjutant"),
            ("TERM", "xterm-256color"),
        ];
        assert_eq!(got, map(&expected));
    }

    #[test]
    fn what_env_names_wins_over_all_but_the_identity() {
        let got = built(
            &[("A", "caller"), ("PAGER", "less")],
            &[("A", "env"), ("GIT_PAGER", "delta"), ("ADJ_STAMP", "evil"), ("TERM", "vt100")],
        );
        assert_eq!(got["A"], "env");
        assert_eq!(got["PAGER"], "cat");
        assert_eq!(got["GIT_PAGER"], "delta");
        assert_eq!(got["ADJ_STAMP"], "h/u");
        assert_eq!(got["TERM"], "vt100");
    }
}
