//! Installing skills: where agents look for them, and what is left alone.

use std::path::{Path, PathBuf};

use adjutant_testkit::{Running, World};

const NAMES: [&str; 4] = ["adjutant", "delegate", "handoff", "teammate"];

/// A world in which these directories of the user's home are there, and no agent's program is found.
fn world_with(directories: &[&str]) -> World {
    let world = World::new().with_variable("PATH", "/nowhere");
    directories.iter().for_each(|name| std::fs::create_dir_all(home(&world).join(name)).expect("a directory"));
    world
}

fn home(world: &World) -> PathBuf {
    world.root().join("home")
}

fn text(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

#[track_caller]
fn has_all(directory: &Path) {
    for name in NAMES {
        assert!(text(&directory.join(name).join("SKILL.md")).starts_with(&format!("---\nname: {name}\n")));
    }
}

fn is_there(path: &Path) -> bool {
    path.try_exists().expect("a directory of the world")
}

#[test]
fn skills_go_to_every_agent_that_is_there() {
    let world = world_with(&[".claude", ".codex", ".config/opencode"]);
    let told = world.adj(["install-skill"]).expect_code(0).stdout;
    assert_eq!(told.lines().count(), 9, "{told}");
    let file = home(&world).join(".claude/skills/adjutant/SKILL.md");
    assert!(told.contains(&format!("Installed skill: adjutant → {}\n", file.display())), "{told}");
    has_all(&home(&world).join(".claude/skills"));
    has_all(&home(&world).join(".codex/skills"));
    assert!(text(&home(&world).join(".config/opencode/AGENTS.md")).contains("adj install-skill --print delegate"));
    let again = world.adj(["--json", "install-skill"]).expect_code(0).json();
    assert!(again.as_array().expect("copies").iter().all(|one| one["state"] == "current"), "{again:#}");
    assert_eq!(world.daemon_pid(), None, "nothing of this needs the daemon");
}

#[test]
fn without_any_agent_it_is_the_first() {
    let world = world_with(&[]);
    let _ = world.adj(["install-skill", "handoff"]).expect_code(0);
    assert!(is_there(&home(&world).join(".claude/skills/handoff/SKILL.md")));
    assert!(!is_there(&home(&world).join(".claude/skills/adjutant")) && !is_there(&home(&world).join(".codex")));
}

#[test]
fn the_agents_own_variables_say_where() {
    let mut world = world_with(&[".claude"]);
    let (claude, codex) = (world.root().join("c1"), world.root().join("c2"));
    world.set_variable("CLAUDE_CONFIG_DIR", &claude.display().to_string());
    world.set_variable("CODEX_HOME", &codex.display().to_string());
    let _ = world.adj(["install-skill", "--claude", "--codex"]).expect_code(0);
    has_all(&claude.join("skills"));
    has_all(&codex.join("skills"));
    assert!(!is_there(&home(&world).join(".claude/skills")));
}

#[test]
fn for_one_directory_alone() {
    let world = world_with(&[]);
    let _ = world.adj(["install-skill", "--local", "--claude", "--codex"]).expect_code(0);
    has_all(&world.work().join(".claude/skills"));
    has_all(&world.work().join(".agents/skills"));
    assert!(!is_there(&world.work().join("AGENTS.md")), "no file is made where nobody has one");
    assert_eq!(std::fs::read_dir(home(&world)).expect("the home").count(), 0);
}

#[test]
fn what_somebody_changed_is_left_alone() {
    let world = world_with(&[".claude"]);
    let _ = world.adj(["install-skill"]).expect_code(0);
    let of = |name: &str| home(&world).join(".claude/skills").join(name).join("SKILL.md");
    let mine = format!("{}\n- my own line\n", text(&of("delegate")));
    std::fs::write(of("delegate"), &mine).expect("a file in the world");
    std::fs::remove_file(of("teammate")).expect("it was there");
    let _ = world.adj(["--json", "install-skill"]).expect_error(1, "skill_modified");
    let _ = world.adj(["--json", "install-skill", "--remove"]).expect_error(1, "skill_modified");
    assert_eq!(text(&of("delegate")), mine);
    assert!(!is_there(&of("teammate")), "nothing is written when one copy is refused");
    let _ = world.adj(["install-skill", "adjutant", "handoff"]).expect_code(0);
    let _ = world.adj(["install-skill", "--force"]).expect_code(0);
    has_all(&home(&world).join(".claude/skills"));
    assert!(!text(&of("delegate")).contains("my own line"));
}

/// A copy as another version would have written it: with its digest. The digest is over all but its own line.
fn of_another_version(file: &Path) {
    let old = text(file).replace("adj:*)\nmetadata:\n  version: \"", "adj:*)\nmetadata:\n  version: \"9");
    let plain: String = old.split_inclusive('\n').filter(|line| !line.starts_with("  digest: ")).collect();
    // In a world of its own, since that of the test has no programs.
    let sum =
        Running::start_with_input(World::new().command("sha256sum"), plain.as_bytes()).end().expect_code(0).stdout;
    let with = plain.replacen("\n---\n", &format!("\n  digest: \"{}\"\n---\n", &sum[..32]), 1);
    std::fs::write(file, with).expect("a file in the world");
}

#[test]
fn a_copy_of_another_version_is_told_and_replaced() {
    let world = world_with(&[".claude"]);
    let missing = world.adj(["install-skill", "--check"]).expect_code(0).stdout;
    assert!(missing.lines().all(|line| line.starts_with("missing: ")), "{missing}");
    let _ = world.adj(["install-skill"]).expect_code(0);
    let fresh = world.adj(["install-skill", "--check"]).expect_code(0).stdout;
    assert!(fresh.lines().all(|line| line.starts_with("current: ")) && fresh.lines().count() == 4, "{fresh}");
    let file = home(&world).join(".claude/skills/handoff/SKILL.md");
    of_another_version(&file);
    let stale = world.adj(["install-skill", "--check"]).expect_code(1).stdout;
    assert!(stale.contains(&format!("stale: handoff → {}\n", file.display())), "{stale}");
    let _ = world.adj(["install-skill"]).expect_code(0);
    let _ = world.adj(["install-skill", "--check"]).expect_code(0);
}

#[test]
fn what_was_installed_goes_without_a_trace() {
    let world = world_with(&[".claude/skills/mine", ".config/amp"]);
    let agents = home(&world).join(".config/amp/AGENTS.md");
    std::fs::write(&agents, "# House rules\n\n- Be brief.\n").expect("a file in the world");
    std::fs::write(world.work().join("AGENTS.md"), "# Of this directory\n").expect("a file in the world");
    let _ = world.adj(["install-skill"]).expect_code(0);
    let _ = world.adj(["install-skill", "--local"]).expect_code(0);
    assert!(text(&agents).starts_with("# House rules\n\n- Be brief.\n\n<!-- adjutant:begin "));
    assert!(text(&world.work().join("AGENTS.md")).contains("<!-- adjutant:end -->"));
    for place in ["--global", "--local"] {
        let _ = world.adj(["install-skill", place, "--remove"]).expect_code(0);
    }
    assert_eq!(text(&agents), "# House rules\n\n- Be brief.\n");
    assert_eq!(text(&world.work().join("AGENTS.md")), "# Of this directory\n");
    let left: Vec<_> = std::fs::read_dir(home(&world).join(".claude/skills")).expect("it is there").flatten().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    let none = world.adj(["install-skill", "--remove"]).expect_code(0).stdout;
    assert_eq!(none, "No skill is installed there\n");
}

#[test]
fn a_block_that_nobody_would_read_is_not_called_written() {
    let world = World::new();
    let refused = world.adj(["--json", "install-skill", "--agents-md"]).expect_error(1, "agent_not_found");
    assert!(refused.error()["hint"].as_str().unwrap().contains("--local --agents-md"), "{refused:#?}");
    let _ = world.adj(["--json", "install-skill", "--agents-md", "--check"]).expect_error(1, "agent_not_found");
    let _ = world.adj(["install-skill", "--agents-md", "--remove"]).expect_code(0);
    let amp = home(&world).join(".config/amp");
    std::fs::create_dir_all(&amp).unwrap();
    let told = world.adj(["install-skill", "--agents-md"]).expect_code(0).stdout;
    assert!(told.contains("amp/AGENTS.md") && amp.join("AGENTS.md").is_file(), "{told}");
}

#[test]
fn a_block_can_be_asked_for_where_no_file_is() {
    let world = world_with(&[]);
    let _ = world.adj(["install-skill", "--local", "--agents-md"]).expect_code(0);
    let file = world.work().join("AGENTS.md");
    assert!(text(&file).starts_with("<!-- adjutant:begin ") && text(&file).lines().count() < 20);
    assert!(!is_there(&world.work().join(".claude")));
    std::fs::write(&file, text(&file).replace("<!-- adjutant:end -->", "")).expect("a file in the world");
    for words in
        [&["install-skill", "--local", "--agents-md"][..], &["install-skill", "--local", "--agents-md", "--force"]]
    {
        let _ = world.adj([&["--json"], words].concat()).expect_error(1, "skill_modified");
    }
    std::fs::write(&file, "").expect("a file in the world");
    let _ = world.adj(["install-skill", "--local", "--agents-md"]).expect_code(0);
    let _ = world.adj(["install-skill", "--local", "--agents-md", "--remove"]).expect_code(0);
    assert!(!is_there(&file), "a file in which nothing else is goes with it");
}

#[test]
fn a_link_of_the_user_stays_a_link() {
    let world = world_with(&[".claude/skills/adjutant", "dotfiles"]);
    let (real, link) = (home(&world).join("dotfiles/adj.md"), home(&world).join(".claude/skills/adjutant/SKILL.md"));
    std::fs::write(&real, "old and mine").expect("a file in the world");
    std::os::unix::fs::symlink(&real, &link).expect("a link in the world");
    let _ = world.adj(["install-skill", "adjutant", "--force"]).expect_code(0);
    assert!(link.symlink_metadata().expect("it is there").is_symlink());
    assert!(text(&real).starts_with("---\nname: adjutant\n"));
}

#[test]
fn calls_that_make_no_sense_are_refused() {
    let world = world_with(&[]);
    for words in [
        &["install-skill", "no-such"][..],
        &["install-skill", "--global", "--local"],
        &["install-skill", "--check", "--force"],
        &["install-skill", "--shell"],
    ] {
        let _ = world.adj([&["--json"], words].concat()).expect_error(2, "usage");
    }
    let mut homeless = world.adj_command(["--json", "install-skill"]);
    homeless.env_remove("HOME");
    let _ = Running::start(homeless).end().expect_code(255);
    assert_eq!(std::fs::read_dir(home(&world)).expect("the home").count(), 0);
}
