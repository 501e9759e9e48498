//! What a message may be, and where it may come from.

use crate::transcript::World;

#[test]
fn a7_a8_what_is_no_text_is_refused_with_its_place() {
    let world = World::new();
    world.write("latin1", b"caf\xe9");
    world.write("nul", b"a\0b");
    world.write("escape", "one\n\x1b[201~rm -rf /\r");
    world.write("blank", " \n\t\n");
    world.write("empty", "");
    world.replay(
        r#"
$ adj send fizz-top -f latin1
2| adj: the message is not UTF-8 at byte 3
= 2
$ adj send fizz-top -f nul
2| adj: the message holds a NUL at byte 1
= 2
$ adj send fizz-top -f escape
2| adj: the message holds the control character U+001B at byte 4
= 2
$ adj send fizz-top -f blank
2| adj: the message has no text
= 2
$ adj send fizz-top -f empty
2| adj: the message has no text
= 2
$ adj send fizz-top -f nul --strip-control
2| adj: the message holds a NUL at byte 1
= 2
$ adj send fizz-top ""
2| adj: the message has no text
= 2
$ adj send fizz-top $'caf\xe9'
2| adj: the message is not UTF-8 at byte 3
= 2
$ adj send fizz-top --message $'\x03'
2| adj: the message holds the control character U+0003 at byte 0
= 2
$ printf 'a\rb' | adj send fizz-top -f -
2| adj: the message holds the control character U+000D at byte 1
= 2
$ adj --json send fizz-top -f escape
2| {"error":{"code":"message_not_text","message":"the message holds the control character U+001B at byte 4","hint":null,"exit":2,"details":{"code":27,"offset":4}}}
= 2
"#,
    );
}

#[test]
fn a_message_comes_from_one_place() {
    let world = World::new();
    world.write("brief", "fix it");
    world.replay(
        r#"
$ adj send fizz-top
2| adj: no message is given
= 2
$ echo hi | adj send fizz-top
2| adj: no message is given
= 2
$ adj send fizz-top hi -f brief
2| adj: a message is taken from one place: the argument, --message or --file
= 2
$ adj send fizz-top hi --message ho
2| adj: a message is taken from one place: the argument, --message or --file
= 2
$ adj send fizz-top -f nowhere
2| adj: cannot read the message from nowhere: No such file or directory (os error 2)
= 2
$ adj send fizz-top -f .
2| adj: cannot read the message from .: Is a directory (os error 21)
= 2
"#,
    );
}

#[test]
fn a1_a_message_over_the_limit_is_refused() {
    let world = World::new();
    std::fs::create_dir(world.home()).unwrap();
    std::fs::write(world.home().join("config.toml"), "message_max_bytes = 10\n").unwrap();
    world.replay(
        r#"
$ adj send fizz-top 12345678901
2| adj: the message has at least 11 bytes, and 10 are allowed
= 2
$ adj send fizz-top -f /dev/zero
2| adj: the message has at least 11 bytes, and 10 are allowed
= 2
$ adj --json send fizz-top 12345678901
2| {"error":{"code":"message_too_large","message":"the message has at least 11 bytes, and 10 are allowed","hint":null,"exit":2,"details":{"bytes":"at least 11","bytes_max":10}}}
= 2
$ adj --no-autostart send fizz-top 1234567890
2| adj: no daemon listens on [ROOT]/home/run/adj.sock
= 255
"#,
    );
}

/// These reach the daemon, and none is there: what matters is that they are taken for messages.
#[test]
fn a3_a4_texts_that_look_like_options() {
    World::new().replay(
        r#"
$ adj --no-autostart send fizz-top "- item"
2| adj: no daemon listens on [ROOT]/home/run/adj.sock
= 255
$ adj --no-autostart send fizz-top -5
2| adj: no daemon listens on [ROOT]/home/run/adj.sock
= 255
$ adj --no-autostart send fizz-top ---
2| adj: no daemon listens on [ROOT]/home/run/adj.sock
= 255
$ adj --no-autostart send fizz-top -
2| adj: no daemon listens on [ROOT]/home/run/adj.sock
= 255
$ adj --no-autostart send fizz-top -- --help
2| adj: no daemon listens on [ROOT]/home/run/adj.sock
= 255
$ adj --no-autostart send fizz-top "--fix the parser"
2| adj: no daemon listens on [ROOT]/home/run/adj.sock
= 255
$ adj --no-autostart send fizz-top --message --help
2| adj: no daemon listens on [ROOT]/home/run/adj.sock
= 255
$ adj --no-autostart send fizz-top --message="--a b"
2| adj: no daemon listens on [ROOT]/home/run/adj.sock
= 255
$ adj --no-autostart send -- fizz-top -x
2| adj: no daemon listens on [ROOT]/home/run/adj.sock
= 255
"#,
    );
}
