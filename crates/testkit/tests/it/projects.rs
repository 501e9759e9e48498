//! Projects and work trees: names for directories, and trees that are made for sessions and never lose anybody's work.

use std::path::PathBuf;

use adjutant_testkit::{Running, World, await_fact};
use serde_json::{Value, json};

use crate::SOON;

/// A repository with a commit in `app`, with a user of its own.
fn repository(world: &World) {
    let script = "git init -q -b main app && cd app && git config user.name t && git config user.email t@t &&
        mkdir src && echo one > src/file && git add . && git commit -qm first";
    let _ = world.inside(script).expect_code(0);
}

fn isolated(world: &World, words: &[&str]) -> Value {
    let create = ["--json", "create", "--cli", "shell", "--workspace", "isolated"];
    world.adj([&create, words].concat()).expect_code(0).json()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text: {value:#}")).to_owned()
}

fn trees(world: &World) -> Vec<Value> {
    world.adj(["--json", "workspace", "list"]).expect_code(0).json().as_array().expect("an array").clone()
}

#[test]
fn a_registered_directory_names_its_sessions_and_outlives_the_daemon() {
    let world = World::new();
    repository(&world);
    let _ = world.inside("mkdir -p plain/deep").expect_code(0);
    assert_eq!(world.adj(["project", "list"]).expect_code(0).stdout, "No projects\n");
    let added = world.adj(["project", "add", "app/src", "--name", "kernel"]).expect_code(0).stdout;
    assert_eq!(added, format!("Added project kernel: {}\n", world.work().join("app/src").display()));
    let _ = world.adj(["project", "add", "app/src", "--name", "kernel"]).expect_code(0);
    let _ = world.adj(["--json", "project", "add", "app", "--name", "kernel"]).expect_error(1, "id_in_use");
    let _ = world.adj(["--json", "project", "add", "app", "--name", "a/b"]).expect_error(2, "id_invalid");
    let _ = world.adj(["--json", "project", "add", "nowhere"]).expect_error(2, "path_not_found");
    assert_eq!(world.adj(["-q", "project", "add", "plain"]).expect_code(0).stdout, "plain\n", "its own name");
    let project = |id: &str, path: &str| {
        let made = world.adj(["--json", "create", "--cli", "shell", "--id", id, "-p", path]).expect_code(0).json();
        made["project"].clone()
    };
    assert_eq!(project("in-kernel", "app/src"), "kernel", "the deepest one");
    assert_eq!(project("in-app", "app"), "app", "the repository's own name");
    assert_eq!(project("in-plain", "plain/deep"), "plain");
    world.kill_daemon();
    let known = world.adj(["--json", "project", "list"]).expect_code(0).json();
    let rows: Vec<(String, String, u64)> = known
        .as_array()
        .expect("an array")
        .iter()
        .map(|p| (text(&p["name"]), text(&p["origin"]), p["live"].as_u64().expect("a number")))
        .collect();
    let row = |name: &str, origin: &str| (name.to_owned(), origin.to_owned(), 1);
    assert_eq!(rows, [row("app", "sessions"), row("kernel", "registered"), row("plain", "registered")]);
    assert_eq!(world.adj(["list", "-q", "--project", "kernel"]).expect_code(0).stdout, "in-kernel\n");
    let _ = world.adj(["project", "remove", "plain"]).expect_code(0);
    let _ = world.adj(["--json", "project", "remove", "plain"]).expect_error(4, "project_not_found");
    assert_eq!(
        world.adj(["list", "-q", "--project", "plain"]).expect_code(0).stdout,
        "in-plain\n",
        "its sessions stay"
    );
    // A damaged file is told, and no session is held up by it.
    std::fs::write(world.state().join("projects.json"), "{").expect("a file");
    let _ = world.adj(["--json", "project", "list"]).expect_error(1, "store_unreadable");
    let _ = world.adj(["--json", "project", "add", "plain"]).expect_error(1, "store_unreadable");
    assert_eq!(project("later", "app"), "app");
    assert_eq!(std::fs::read_to_string(world.state().join("projects.json")).expect("a file"), "{");
}

#[test]
fn one_of_the_work_trees_of_git_is_chosen_by_path_branch_or_name() {
    let world = World::new();
    repository(&world);
    let _ = world.inside("git -C app worktree add -q -b topic/x ../feature").expect_code(0);
    let top = world.work().join("feature").display().to_string();
    for (id, wanted) in [("by-path", top.as_str()), ("by-branch", "topic/x"), ("by-name", "feature")] {
        let words = ["--json", "create", "--cli", "shell", "--id", id, "-p", "app", "--worktree", wanted];
        let made = world.adj(words).expect_code(0).json();
        assert_eq!((&made["path"], &made["worktree"], &made["project"]), (&json!(top), &json!(top), &json!("app")));
        assert_eq!(made["workspace"], Value::Null, "it is the user's");
    }
    let main = world.adj(["--json", "create", "--cli", "shell", "--id", "in-main", "-p", "app", "--worktree", "main"]);
    assert_eq!(main.expect_code(0).json()["worktree"], Value::Null, "the main checkout");
    let _ =
        world.adj(["--json", "create", "--cli", "shell", "-p", "app", "--worktree", "fea"]).expect_error(2, "usage");
    let _ = world.adj(["--json", "create", "--cli", "shell", "--worktree", "feature"]).expect_error(2, "usage");
    assert_eq!(world.adj(["list", "-q", "--worktree", "feature"]).expect_code(0).stdout.lines().count(), 3);
    assert_eq!(world.adj(["list", "-q", "--project", "app"]).expect_code(0).stdout.lines().count(), 4);
    let mut list = world.adj_command(["-q", "sessions", "list", "--worktree", "../feature"]);
    list.current_dir(world.work().join("app"));
    assert_eq!(Running::start(list).end().expect_code(0).stdout.lines().count(), 3);
}

#[test]
fn an_isolated_session_works_in_a_tree_of_its_own_that_bears_the_host() {
    let world = World::new();
    repository(&world);
    let made = isolated(&world, &["-p", "app/src", "--id", "iso-one"]);
    let (path, top) = (PathBuf::from(text(&made["path"])), PathBuf::from(text(&made["worktree"])));
    assert_eq!(path, top.join("src"), "the same directory in the tree");
    assert!(top.starts_with(world.state().join("trees")), "{}", top.display());
    assert_eq!(text(&made["checkout"]), world.work().join("app").display().to_string());
    assert!(text(&made["branch"]).starts_with("adj/iso-one/"), "{made:#}");
    assert_eq!(made["project"], "app");
    let answer =
        world.adj(["ask", "iso-one", "pwd; git branch --show-current; echo two >> file"]).expect_code(0).stdout;
    assert_eq!(answer, format!("{}\n{}\n", path.display(), text(&made["branch"])));
    assert_eq!(world.lines_of("app/src/file"), ["one"], "the user's checkout is untouched");
    let stamp = std::fs::read_dir(world.work().join("app/.git/worktrees")).expect("its trees").flatten().next();
    let stamp = std::fs::read_to_string(stamp.expect("one").path().join("adjutant.json")).expect("a stamp");
    let host: Value =
        serde_json::from_str(&std::fs::read_to_string(world.state().join("host.json")).expect("a file")).expect("JSON");
    assert_eq!(serde_json::from_str::<Value>(&stamp).expect("JSON")["host"], host["host"]);
    world.kill_daemon();
    let listed = trees(&world);
    assert_eq!((listed.len(), &listed[0]["session"], &listed[0]["in_use"]), (1, &json!("iso-one"), &json!(true)));
    assert_eq!((&listed[0]["dirty"], &listed[0]["untracked"]), (&json!(1), &json!(0)), "{listed:#?}");
    let diff = world.adj(["workspace", "diff", "iso-one", "--uncommitted"]).expect_code(0).stdout;
    assert!(diff.contains("+two"), "{diff}");
    let again = isolated(&world, &["-p", "app", "--key", "k"]);
    let same = isolated(&world, &["-p", "app", "--key", "k"]);
    assert_eq!(again["uuid"], same["uuid"]);
    assert_eq!(trees(&world).len(), 2, "a repeated create leaves no tree behind");
}

#[test]
fn a_create_that_fails_leaves_no_tree() {
    let world = World::new();
    repository(&world);
    let words =
        |more: &[&'static str]| [&["--json", "create", "--cli", "shell", "--workspace", "isolated"], more].concat();
    let _ = world.adj(words(&[])).expect_error(2, "not_supported");
    let _ = world.inside("git init -q empty && mkdir app/new").expect_code(0);
    let _ = world.adj(words(&["-p", "empty"])).expect_error(2, "not_supported");
    let _ = world.adj(words(&["-p", "app/new"])).expect_error(2, "path_not_found");
    let _ = isolated(&world, &["-p", "app", "--id", "taken"]);
    let _ = world.adj(words(&["-p", "app", "--id", "taken"])).expect_error(1, "id_in_use");
    assert_eq!(trees(&world).len(), 1);
    let branches = world.inside("git -C app branch --list 'adj/*' | wc -l").expect_code(0).stdout;
    assert_eq!(branches.trim(), "1", "no branch is left of those that failed");
    let _ = world.adj(["ask", "taken", "true"]).expect_code(0);
}

#[test]
fn e9_a_tree_is_removed_only_when_nothing_of_it_would_be_lost() {
    let world = World::new();
    repository(&world);
    let _ = world.inside("git -C app config status.showUntrackedFiles no").expect_code(0);
    for id in ["clean", "dirty", "fresh", "ahead", "merged", "lives"] {
        let _ = isolated(&world, &["-p", "app", "--id", id]);
    }
    let work = "git config user.name t; git config user.email t@t;";
    for (id, script) in [
        ("dirty", "echo changed > src/file"),
        ("fresh", "echo new > brand-new"),
        ("ahead", "echo own > own; git add own; git commit -qm own"),
        ("merged", "echo landed > landed; git add landed; git commit -qm landed"),
    ] {
        let _ = world.adj(["ask", id, &format!("{work} {script}")]).expect_code(0);
    }
    let tree = |id: &str| {
        let found = trees(&world).into_iter().find(|tree| tree["session"] == id);
        PathBuf::from(text(&found.unwrap_or_else(|| panic!("the tree of {id}"))["path"]))
    };
    let branch = text(&world.adj(["--json", "status", "merged"]).expect_code(0).json()["branch"]);
    // Squashed into the user's branch beside other work, so that only a merge in memory can tell.
    let land = format!(
        "cd app && echo mine > mine && git add mine && git commit -qm mine && git merge -q --squash {branch} && git commit -qm squashed"
    );
    let _ = world.inside(&land).expect_code(0);
    let paths: Vec<(&str, PathBuf)> = ["dirty", "fresh", "ahead", "lives"].map(|id| (id, tree(id))).into();
    for id in ["clean", "dirty", "fresh", "ahead", "merged"] {
        let _ = world.adj(["kill", id]).expect_code(0);
    }
    assert!(paths.iter().all(|(_, path)| path.is_dir()), "ending a session removes nothing");
    let cleaned = world.adj(["--json", "workspace", "clean", "--all"]).expect_code(0).json();
    let by_why: Vec<(bool, String)> = cleaned
        .as_array()
        .expect("an array")
        .iter()
        .map(|one| (one["removed"] == true, one["error"]["details"]["why"].as_str().unwrap_or("-").to_owned()))
        .collect();
    let count = |why: &str| by_why.iter().filter(|(_, word)| word == why).count();
    assert_eq!((count("-"), count("dirty"), count("unlanded"), count("in-use")), (2, 2, 1, 1), "{cleaned:#}");
    assert!(paths.iter().all(|(_, path)| path.is_dir()), "what holds something stays");
    for id in ["dirty", "fresh", "ahead", "lives"] {
        let _ = world.adj(["--json", "workspace", "clean", id]).expect_code(1);
    }
    let _ = world.adj(["--json", "workspace", "clean", "fresh", "--force"]).expect_error(2, "usage");
    let saved =
        world.adj(["--json", "workspace", "clean", "fresh", "--force", "--reason", "done with"]).expect_code(0).json();
    assert_eq!(paths[1].1.try_exists().ok(), Some(false));
    let shown = format!("git -C app show {}:brand-new", text(&saved[0]["snapshot"]));
    assert_eq!(world.inside(&shown).expect_code(0).stdout, "new\n", "new files are saved too");
    let rescued =
        world.adj(["--json", "workspace", "clean", "ahead", "--force", "--reason", "x"]).expect_code(0).json();
    assert_ne!(rescued[0]["branch_kept"], Value::Null, "its commits keep their branch: {rescued:#}");
    let left = world.inside("git -C app branch --list 'adj/*' | wc -l").expect_code(0).stdout;
    assert_eq!(left.trim(), "3", "those of dirty, ahead and lives");
    let _ = world.adj(["ask", "lives", "true"]).expect_code(0);
    assert_eq!(world.lines_of("app/src/file"), ["one"]);
}

#[test]
fn a_tree_of_another_host_is_left_alone() {
    let world = World::new();
    repository(&world);
    let made = isolated(&world, &["-p", "app", "--id", "ours"]);
    let _ = world.adj(["kill", "ours"]).expect_code(0);
    let tree = PathBuf::from(text(&made["worktree"]));
    let own = world.inside(&format!("git -C {} rev-parse --absolute-git-dir", tree.display())).expect_code(0).stdout;
    let stamp = PathBuf::from(own.trim()).join("adjutant.json");
    let mut other: Value = serde_json::from_str(&std::fs::read_to_string(&stamp).expect("a stamp")).expect("JSON");
    other["host"] = json!("0".repeat(32));
    std::fs::write(&stamp, other.to_string()).expect("written");
    let refused = world.adj(["--json", "workspace", "clean", "ours"]).expect_code(1).json();
    assert_eq!(refused[0]["error"]["details"]["why"], "redirected", "{refused:#}");
    let forced = world.adj(["--json", "workspace", "clean", "ours", "--force", "--reason", "x"]).expect_code(1);
    assert!(tree.is_dir(), "{forced:#?}");
}

#[test]
fn a_tree_whose_daemon_died_before_its_session_began_is_found_and_removed() {
    let world = World::new();
    repository(&world);
    let _ = world.start_daemon(&[("ADJ_TESTPOINT_KILL", "before_launch:1")]);
    // A caller that starts no daemon does not repeat itself, so that the tree stays without its session.
    let create = ["--no-autostart", "create", "--cli", "shell", "--workspace", "isolated", "-p", "app", "--id", "lost"];
    let lost = world.adj(create);
    assert!([5, 255].contains(&lost.code), "{lost:#?}");
    await_fact("what was planned and not begun is withdrawn", SOON, || {
        world.adj(["list", "-a", "-q"]).expect_code(0).stdout.is_empty()
    });
    let listed = trees(&world);
    assert_eq!((listed.len(), &listed[0]["session"], &listed[0]["in_use"]), (1, &Value::Null, &json!(false)));
    let _ = world.adj(["workspace", "clean", "--all"]).expect_code(0);
    assert_eq!(trees(&world), Vec::<Value>::new());
    assert_eq!(
        world.inside("git -C app branch --list 'adj/*'").expect_code(0).stdout,
        "",
        "its branch is gone with it"
    );
}

#[test]
fn commits_land_by_going_forward_and_never_over_a_persons_work() {
    let world = World::new();
    repository(&world);
    let work = "git config user.name t; git config user.email t@t;";
    let commit = |id: &str, file: &str| {
        let script = format!("{work} echo {id} > {file}; git add {file}; git commit -qm {id}; git rev-parse HEAD");
        world.adj(["ask", id, &script]).expect_code(0).stdout.trim().to_owned()
    };
    let why = |words: &[&str]| {
        let refused = world.adj([&["--json", "workspace", "land"], words].concat()).expect_error(1, "forbidden");
        text(&refused.error()["details"]["why"])
    };
    for id in ["first", "second"] {
        let _ = isolated(&world, &["-p", "app", "--id", id]);
    }
    let (one, two) = (commit("first", "src/file"), commit("second", "other"));
    assert_eq!(why(&["first", "--head", &two]), "head-moved");
    let _ = world.inside("echo mine > app/src/file").expect_code(0);
    assert_eq!(why(&["first"]), "checkout-in-the-way", "a file that a person has changed");
    assert_eq!(world.lines_of("app/src/file"), ["mine"]);
    let _ = world.inside("git -C app checkout -q src/file && echo beside > app/untracked").expect_code(0);
    let landed = world.adj(["--json", "workspace", "land", "first", "--head", &one]).expect_code(0).json();
    assert_eq!((&landed["branch"], &landed["to"]), (&json!("main"), &json!(one)));
    assert_eq!(world.lines_of("app/src/file"), ["first"], "the files of the checkout go along");
    assert_eq!(world.inside("git -C app rev-parse main").expect_code(0).stdout.trim(), one);
    assert_eq!(world.lines_of("app/untracked"), ["beside"]);
    let again = world.adj(["workspace", "land", "first"]).expect_code(0).stdout;
    assert!(again.starts_with("main has all of "), "{again}");
    assert_eq!(why(&["second"]), "not-forward", "nothing is merged or rewritten");
    let _ = world.adj(["ask", "second", &format!("{work} git rebase -q main")]).expect_code(0);
    let _ = world.inside("git -C app checkout -q -b elsewhere").expect_code(0);
    let _ = world.adj(["workspace", "land", "second"]).expect_code(0);
    assert_eq!(
        world.inside("git -C app show main:other").expect_code(0).stdout,
        "second\n",
        "a branch alone is moved too"
    );
    let _ = world.adj(["kill", "first", "second"]).expect_code(0);
    let _ = world.adj(["workspace", "clean", "first", "second"]).expect_code(0);
    assert_eq!(world.inside("git -C app branch --list 'adj/*'").expect_code(0).stdout, "");
}
