//! Help, and the version.

use crate::transcript::World;

#[test]
fn bare_adj_says_how_to_begin() {
    World::new().replay(
        r#"
$ adj
2| adj: no command is given
2|
2| Sessions of coding agents and shells, from one command line. To begin:
2|
2|   adj run --cli shell 'uname -sr'     one task in a session of its own; prints the output, exits with its code
2|   id=$(adj create -q --cli shell)     a session that stays
2|   adj send $id 'make test'            put a message in its queue; returns at once
2|   adj wait --print $id                block until the work has ended; prints the answer, the exit code is the outcome
2|   adj ask $id 'echo hello'            send, wait and print in one
2|   adj list                            what is there, and what it does
2|   adj kill $id                        end it
2|
2| All commands: adj help
2| One of them:  adj help send
= 2
$ adj --version
adj 0.1.0
= 0
$ adj -V
adj 0.1.0
= 0
"#,
    );
}

#[test]
fn a4_help_with_an_id_is_not_what_was_wanted() {
    World::new().replay(
        r#"
$ adj kill --help
End sessions: processes, queue and all

Interrupts the turn, closes the agent's input, and after 3 s ends the whole process group; returns
when no process is left. The record is kept as `exited`, and the log for `keep_days`.

Usage: adj kill [OPTIONS] [id]...

Arguments:
  [id]...  The sessions

Options:
      --all                    All sessions, on all hosts; called by a session: its descendants
      --older-than <duration>  Sessions in which nothing has happened for this long; working ones
                               only with `--force`
      --tree                   The descendants too, children first
      --force                  No grace period, working ones too
      --purge                  Delete record and log as well

Global options:
      --json           Print the result as JSON
  -q, --quiet          Print only the id or word that a script needs
      --host <target>  Act on that host's daemon
      --color <when>   When to colour words [default: auto] [possible values: auto, always, never]
      --no-autostart   Do not start the daemon; fail with 255 when it is not running
  -h, --help           Print help
= 0
$ adj kill fizz-top --help
2| End sessions: processes, queue and all
2|
2| Interrupts the turn, closes the agent's input, and after 3 s ends the whole process group; returns
2| when no process is left. The record is kept as `exited`, and the log for `keep_days`.
2|
2| Usage: adj kill [OPTIONS] [id]...
2|
2| Arguments:
2|   [id]...  The sessions
2|
2| Options:
2|       --all                    All sessions, on all hosts; called by a session: its descendants
2|       --older-than <duration>  Sessions in which nothing has happened for this long; working ones
2|                                only with `--force`
2|       --tree                   The descendants too, children first
2|       --force                  No grace period, working ones too
2|       --purge                  Delete record and log as well
2|
2| Global options:
2|       --json           Print the result as JSON
2|   -q, --quiet          Print only the id or word that a script needs
2|       --host <target>  Act on that host's daemon
2|       --color <when>   When to colour words [default: auto] [possible values: auto, always, never]
2|       --no-autostart   Do not start the daemon; fail with 255 when it is not running
2|   -h, --help           Print help
= 2
$ adj daemon stop -h
End it; sessions go on

Usage: adj daemon stop [OPTIONS]

Options:
      --drain               Wait until no session works
      --force               End it although sessions work
  -t, --timeout <duration>  With `--drain`: give up after this long

Global options:
      --json           Print the result as JSON
  -q, --quiet          Print only the id or word that a script needs
      --host <target>  Act on that host's daemon
      --color <when>   When to colour words [default: auto] [possible values: auto, always, never]
      --no-autostart   Do not start the daemon; fail with 255 when it is not running
  -h, --help           Print help
= 0
$ adj help status
Print the state of a session in one word

`starting`, `idle`, `working`, `waiting_for_input`, `exited`, or `unknown`. Reading it changes and
starts nothing.

Usage: adj status [OPTIONS] <id>...

Arguments:
  <id>...  The sessions

Options:
      --explain  Say where the word comes from: each source, what it last said and when, and what
                 contradicts it

Global options:
      --json           Print the result as JSON
  -q, --quiet          Print only the id or word that a script needs
      --host <target>  Act on that host's daemon
      --color <when>   When to colour words [default: auto] [possible values: auto, always, never]
      --no-autostart   Do not start the daemon; fail with 255 when it is not running
  -h, --help           Print help
= 0
$ adj help frob
2| adj: no command `frob`
= 2
$ adj help queue frob
2| adj: `queue` has no command `frob`
= 2
"#,
    );
}

#[test]
fn help_is_the_same_page_from_both_sides() {
    let world = World::new();
    for verb in ["run", "create", "ask", "send", "wait", "watch", "wake", "list", "respond", "attach", "doctor"] {
        let one = world.bash(&format!("adj {verb} --help"));
        let other = world.bash(&format!("adj help {verb}"));
        assert_eq!((one.status.code(), &one.stdout), (Some(0), &other.stdout), "{verb}");
    }
    let all = [world.bash("adj help"), world.bash("adj --help"), world.bash("adj -h")];
    assert!(all.iter().all(|output| output.stdout == all[0].stdout && output.status.code() == Some(0)));
}
