//! Standard output and standard error: who gets what, and what happens when nobody listens.

use crate::transcript::World;

#[test]
fn i6_a_closed_pipe_ends_quietly() {
    World::new().replay(
        r#"
$ mkfifo f; (exec 3<f; exec 3<&-; : >closed) & exec 4>f; until [ -e closed ]; do :; done; adj help >&4; echo $?
141
= 0
$ adj frobnicate 2>&- ; echo $?
2
= 0
$ adj help >&-; echo $?
0
= 0
$ adj completions bash > /dev/full
2| adj: cannot write the result: No space left on device (os error 28)
= 1
"#,
    );
}

#[test]
fn errors_are_one_json_line_on_demand() {
    World::new().replay(
        r#"
$ adj --json send fizz-top
2| {"error":{"code":"message_empty","message":"no message is given","hint":null,"exit":2,"details":{}}}
= 2
$ adj wait --json
2| {"error":{"code":"usage","message":"`<id>` is missing","hint":"adj help wait","exit":2,"details":{}}}
= 2
$ adj list --json --no-autostart 2>/dev/null
= 255
$ adj --no-autostart send x -- --json
2| adj: no daemon listens on [ROOT]/home/run/adj.sock
= 255
"#,
    );
}

#[test]
fn colours_are_for_terminals_or_on_demand() {
    World::new().replay(
        r#"
$ adj --color always send a.b hi 2>&1 | cat -v
^[[31madj:^[[0m `a.b` holds '.' and cannot be an id
= 0
$ adj --color never send a.b hi
2| adj: `a.b` holds '.' and cannot be an id
= 2
$ adj --color sometimes list
2| adj: `--color` is one of auto, always, never
2| hint: adj help list
= 2
"#,
    );
}
