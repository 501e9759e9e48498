//! Calls that are wrong: one message, once, exit 2, nothing done.

use crate::transcript::World;

#[test]
fn i4_what_is_unknown_is_said_once() {
    World::new().replay(
        r#"
$ adj frobnicate
2| adj: no command `frobnicate`
2| hint: adj help
= 2
$ adj sned fizz-top hi
2| adj: no command `sned` (near: send)
2| hint: adj help
= 2
$ adj --jsn list
2| adj: unknown option `--jsn` (near: --json)
2| hint: adj help
= 2
$ adj list --statsu idle
2| adj: unknown option `--statsu` (near: --status)
2| hint: adj help list
= 2
$ adj send fizz-top -z
2| adj: unknown option `-z`; a message that begins with a dash stands behind `--`
2| hint: adj help send
= 2
$ adj queue frob fizz-top
2| adj: `queue` has no such command; it has: list, edit, remove, hold, release, retry
2| hint: adj help queue
= 2
$ adj queue
2| adj: `queue` needs one of: list, edit, remove, hold, release, retry
= 2
$ adj --json frobnicate
2| {"error":{"code":"usage","message":"no command `frobnicate`","hint":"adj help","exit":2,"details":{}}}
= 2
"#,
    );
}

#[test]
fn a5_a_typo_is_never_sent() {
    World::new().replay(
        r#"
$ adj send fizz-top --fiel brief.md
2| adj: unknown option `--fiel` (near: --file); a message that begins with a dash stands behind `--`
2| hint: adj help send
= 2
$ adj send fizz-top --fiel=secret
2| adj: unknown option `--fiel` (near: --file); a message that begins with a dash stands behind `--`
2| hint: adj help send
= 2
$ adj send fizz-top fix the parser
2| adj: there is a word too many; a text with spaces is one argument, in quotes
2| hint: adj help send
= 2
$ adj send fizz-top --message
2| adj: `--message` needs a value
= 2
$ adj wait fizz-top --timeout --json
2| {"error":{"code":"usage","message":"`--timeout` needs a value","hint":null,"exit":2,"details":{}}}
= 2
$ adj list --json=yes
2| adj: `--json` takes no value
= 2
"#,
    );
}

#[test]
fn what_is_missing_or_contradicts_itself_is_named() {
    World::new().replay(
        r#"
$ adj send
2| adj: `<id>` is missing
2| hint: adj help send
= 2
$ adj wait
2| adj: `<id>` is missing
2| hint: adj help wait
= 2
$ adj kill
2| adj: nothing to kill is given: ids, --all or --older-than
= 2
$ adj kill fizz-top --all
2| adj: `--all` cannot be used with `<id>`
2| hint: adj help kill
= 2
$ adj kill --all --older-than 5m
2| adj: `--all` cannot be used with `--older-than`
2| hint: adj help kill
= 2
$ adj wait fizz-top --goal --next-turn
2| adj: `--goal` cannot be used with `--next-turn`
2| hint: adj help wait
= 2
$ adj wait fizz-top vi-jg --any --count 2
2| adj: `--any` cannot be used with `--count`
2| hint: adj help wait
= 2
$ adj wait fizz-top --count 0
2| adj: `--count 0`: 0 is not in 1..=4294967295
2| hint: adj help wait
= 2
$ adj wake fizz-top --delay 5m --run-at 2026-11-20T09:14:02Z hi
2| adj: `--delay` cannot be used with `--run-at`
2| hint: adj help wake
= 2
$ adj respond fizz-top --allow --deny
2| adj: `--allow` cannot be used with `--deny`
2| hint: adj help respond
= 2
$ adj respond fizz-top --allow yes
2| adj: a text and a decision are two answers; give one
= 2
$ adj respond fizz-top --reason no
2| adj: `--deny` is missing
2| hint: adj help respond
= 2
$ adj send fizz-top --steer --interrupt hi
2| adj: `--steer` cannot be used with `--interrupt`
2| hint: adj help send
= 2
$ adj queue edit fizz-top m4
2| adj: nothing to change is given: text, time or place
= 2
$ adj watch
2| adj: watching all sessions needs `-F` or `--tail`
= 2
"#,
    );
}

#[test]
fn durations_and_times_name_their_wrong_part() {
    World::new().replay(
        r#"
$ adj wake fizz-top --delay 5 "look again"
2| adj: `--delay 5` has no unit (ms, s, m, h, d, w)
= 2
$ adj wake fizz-top --delay -5s "look again"
2| adj: `--delay -5s` is negative
= 2
$ adj wake fizz-top --delay "5 parsec" "look again"
2| adj: `--delay 5 parsec` has the unknown unit `parsec`
= 2
$ adj wake fizz-top --run-at 2026-11-20T09:14:02 "look again"
2| adj: `--run-at 2026-11-20T09:14:02` is not a point in time: it needs an offset: `Z`, `+02:00` or `-05:30` at its end
= 2
$ adj wake fizz-top --run-at 2026-02-30T09:14:02Z "look again"
2| adj: `--run-at 2026-02-30T09:14:02Z` is not a point in time: no such day
= 2
$ adj kill --older-than 5
2| adj: `--older-than 5` has no unit (ms, s, m, h, d, w)
= 2
$ adj wait fizz-top -t soon
2| adj: `--timeout soon` has no number before `soon`
= 2
$ adj wait fizz-top -t -1
2| adj: `--timeout -1` is negative
= 2
"#,
    );
}

#[test]
fn options_of_create_are_checked_before_anything_is_started() {
    let world = World::new();
    world.write("file", "");
    world.replay(
        r#"
$ adj create --mode yes
2| adj: `--mode yes` is none of native, guarded, docker
= 2
$ adj create --cli shell --agent codex
2| adj: `--cli` is given twice: `shell` and another one
= 2
$ adj create --path nowhere
2| adj: cannot use nowhere: No such file or directory (os error 2)
= 2
$ adj create --path file
2| adj: file is not a directory
= 2
$ adj create --path file/below
2| adj: cannot use file/below: Not a directory (os error 20)
= 2
$ adj create --env novalue
2| adj: `--env novalue` has not the form NAME=value
= 2
$ adj create --env =x
2| adj: `--env =x` has not the form NAME=value
= 2
$ adj create -d $'two\nlines'
2| adj: `--description` is one line, without control characters
= 2
$ adj create --id human.x
2| adj: `--id human.x` cannot be a session's id: it is made of lower-case letters, digits and single hyphens
= 2
$ adj create --host=-oProxyCommand=id
2| adj: `--host`: -oProxyCommand=id begins with a dash
= 2
$ adj create --host 'a b'
2| adj: `--host`: a b holds white space or a control character
= 2
$ mkdir gone && cd gone && rmdir ../gone && adj create --cli shell
2| adj: cannot use the current directory: No such file or directory (os error 2)
= 2
"#,
    );
}

#[test]
fn f9_variables_are_checked() {
    World::new().with("ADJ_TIMEOUT", "abc").with("ADJ_MODE", "wild").replay(
        r#"
$ adj wait fizz-top
2| adj: `ADJ_TIMEOUT=abc` has no number before `abc`
= 2
$ adj create --cli shell
2| adj: `ADJ_MODE=wild` is none of native, guarded, docker
= 2
$ env -u ADJ_MODE DEV_SESSIONS_TRANSCRIPT_TIMEOUT_MS=soon adj create --cli shell
2| adj: `DEV_SESSIONS_TRANSCRIPT_TIMEOUT_MS=soon` is no number of milliseconds
= 2
$ ADJ_HOME=relative adj list
2| adj: ADJ_HOME must be an absolute path, but it is `relative`
= 2
$ env -u ADJ_HOME adj list
2| adj: there is no place to keep state in: HOME is not set
2| hint: export ADJ_HOME=/some/directory
= 255
$ env -u ADJ_HOME HOME=/nowhere/at/all adj list
2| adj: the directory /nowhere/at/all does not exist
2| hint: export ADJ_HOME=/some/directory
= 255
$ ADJ_HOME=/$(printf x%.0s {1..120}) adj list
2| adj: /xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx/run/adj.sock is too long for sockets: the longest path of one there has 134 bytes, and the system allows 107
2| hint: export ADJ_HOME=/a/shorter/directory
= 255
"#,
    );
}

#[test]
fn the_configuration_is_checked() {
    let world = World::new();
    std::fs::create_dir(world.home()).unwrap();
    let config = |text: &str| std::fs::write(world.home().join("config.toml"), text).unwrap();
    config("default_cli = \"shell\"\n\n[projcts]\napp = \"/srv\"\n");
    world.replay(
        r#"
$ adj wait fizz-top
2| adj: [ROOT]/home/config.toml:3: unknown field `projcts`, expected one of `default_cli`, `default_mode`, `default_timeout`, `message_max_bytes`, `queue_max`, `keep_days`, `docker`, `agents`, `projects`, `sessions_may_kill`, `gateway`, `notify`, `hosts`, `sandbox`
= 2
$ adj daemon run
2| adj: [ROOT]/home/config.toml:3: unknown field `projcts`, expected one of `default_cli`, `default_mode`, `default_timeout`, `message_max_bytes`, `queue_max`, `keep_days`, `docker`, `agents`, `projects`, `sessions_may_kill`, `gateway`, `notify`, `hosts`, `sandbox`
= 2
"#,
    );
    config("keep_days = -1\n");
    world.replay(
        r#"
$ adj create
2| adj: [ROOT]/home/config.toml:1: invalid value: integer `-1`, expected u32
= 2
"#,
    );
}
