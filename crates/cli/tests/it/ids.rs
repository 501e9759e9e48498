//! The form of ids is checked before anything else happens.

use crate::transcript::World;

#[test]
fn b9_g7_h3_what_cannot_be_an_id_is_refused_by_every_verb() {
    World::new().replay(
        r#"
$ adj create --id ../x
2| adj: `--id ../x` cannot be a session's id: it begins with a lower-case letter
= 2
$ adj create --id "a b"
2| adj: `--id a b` cannot be a session's id: it is made of lower-case letters, digits and single hyphens
= 2
$ adj create --id --all
2| adj: `--id` needs a value
= 2
$ adj create --id Fizz-top
2| adj: `--id Fizz-top` cannot be a session's id: it begins with a lower-case letter
= 2
$ adj create --id self
2| adj: `--id self` cannot be a session's id: that word is reserved
= 2
$ adj create --id x
2| adj: `--id x` cannot be a session's id: it needs 2 to 40 characters
= 2
$ adj status ../x
2| adj: `../x` holds '.' and cannot be an id
= 2
$ adj send "a b" hi
2| adj: `<id>` holds ' ' and cannot be an id
= 2
$ adj ask a.b hi
2| adj: `a.b` holds '.' and cannot be an id
= 2
$ adj wait fizz-top a:b
2| adj: `a:b` holds ':' and cannot be an id
= 2
$ adj watch a/b
2| adj: `a/b` holds '/' and cannot be an id
= 2
$ adj wake $'a\n' hi
2| adj: `<id>` holds '\n' and cannot be an id
= 2
$ adj queue list ..%2F..%2Fx
2| adj: `..%2F..%2Fx` holds '.' and cannot be an id
= 2
$ adj queue edit fizz-top 4 --now
2| adj: `4` is not an id such as m42
= 2
$ adj queue remove fizz-top m4 x
2| adj: `x` is not an id such as m42
= 2
$ adj last-message ""
2| adj: `<id>` is empty
= 2
$ adj inspect "- x"
2| adj: `<id>` begins with a dash and cannot be an id
= 2
$ adj logs /etc/hostname
2| adj: `/etc/hostname` holds '/' and cannot be an id
= 2
$ adj respond .
2| adj: `.` holds '.' and cannot be an id
= 2
$ adj respond --request m3 --allow
2| adj: `--request m3` is not an id such as r42
= 2
$ adj interrupt fizz-top x.y
2| adj: `x.y` holds '.' and cannot be an id
= 2
$ adj attach a/b
2| adj: `a/b` holds '/' and cannot be an id
= 2
$ adj kill fizz-top ../vi-jg
2| adj: `../vi-jg` holds '.' and cannot be an id
= 2
$ adj list --parent a.b
2| adj: `--parent a.b` holds '.' and cannot be an id
= 2
$ adj wait fizz-top --for fizz
2| adj: `--for fizz` is not an id such as m42
= 2
$ adj --json status ../x
2| {"error":{"code":"id_invalid","message":"`../x` holds '.' and cannot be an id","hint":null,"exit":2,"details":{}}}
= 2
$ adj kill $(printf x%.0s {1..200})
2| adj: `<id>` is too long for an id
= 2
"#,
    );
}
