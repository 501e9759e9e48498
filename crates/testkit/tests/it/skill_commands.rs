//! Every command in the text of the skills, run as the agent that reads them would: in a session, by its shell tool.

use std::collections::BTreeSet;

use adjutant_testkit::World;

/// What stands for something of the reader's own, and how it is made here. A session of the text is a shell.
const PLACEHOLDERS: [(&str, &str); 11] = [
    ("$dir", "dir=$PWD"),
    ("$id", "id=$(adj create -q)"),
    ("$a", "a=$(adj create -q)"),
    ("$b", "b=$(adj create -q)"),
    ("$c", "c=$(adj create -q)"),
    ("$asking", "asking=$(adj create -q 'read x'); adj wait $asking; test $? = 3"),
    ("$question", "question='echo four'"),
    ("$answer", "answer=yes"),
    ("$tree", "tree=$(adj create -q --workspace isolated)"),
    ("brief.md", "echo 'echo done' > brief.md"),
    ("handoff.md", "echo 'echo understood' > handoff.md"),
];

/// What a shell is not, and so does not do. The call itself is right: another option would be refused with other words.
const REFUSED: [(&str, i32, &str); 9] = [
    ("adj create -q --path \"$dir\" --mode guarded", 2, "shell has no mode"),
    ("adj respond $asking --allow", 2, "wants a text"),
    ("adj respond $asking --deny --reason 'not outside of the checkout'", 2, "wants a text"),
    ("adj respond $asking --choose 1", 2, "wants a text"),
    ("adj goal $id --budget 200000 'cargo test passes without an ignored test'", 2, "has no goals"),
    ("adj wait --goal $id --timeout 90s", 2, "has no goals"),
    ("adj goal self", 2, "has no goals"),
    ("adj goal self --done --evidence 'cargo test: 214 passed, 0 failed'", 2, "has no goals"),
    ("adj goal self --blocked 'the staging key has expired'", 2, "has no goals"),
];

/// A world in which the default agent is a shell, and the directory a repository.
fn stage() -> World {
    let world = World::new().with_variable("ADJ_CLI", "shell");
    let commit = "git init -q . && git -c user.name=t -c user.email=t@t commit -q --allow-empty -m begin";
    let _ = world.inside(&format!("cd {} && {commit}", world.work().display())).expect_code(0);
    world
}

/// The skills as they are installed, each with its name.
fn texts(world: &World) -> Vec<(String, String)> {
    let all = world.adj(["--json", "install-skill", "--print"]).expect_code(0).json();
    let text = |one: &serde_json::Value, key: &str| one[key].as_str().expect("a text").to_owned();
    all.as_array().expect("skills").iter().map(|one| (text(one, "skill"), text(one, "text"))).collect()
}

/// The lines of the fenced blocks.
fn commands(text: &str) -> Vec<&str> {
    let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.flat_map(str::lines).filter(|line| !line.trim().is_empty()).collect()
}

/// The words that stand for something: variables, and files that a message is read from.
fn placeholders(line: &str) -> BTreeSet<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let variables = line.split('$').skip(1).map(|rest| rest.split(|c| !is_word(c)).next().unwrap_or_default());
    let variables = variables.filter(|name| !name.is_empty()).map(|name| format!("${name}"));
    let files = line.split_whitespace().filter(|word| word.ends_with(".md")).map(str::to_owned);
    variables.chain(files.filter(|file| !file.contains('/'))).collect()
}

/// Runs a line in a session that has a parent, with what it stands for made before; gives its code and its output.
fn run(world: &World, boss: &str, line: &str) -> (i32, String) {
    let mut script = String::new();
    for name in placeholders(line) {
        let made = PLACEHOLDERS.iter().find(|(known, _)| *known == name);
        let (_, made) = made.unwrap_or_else(|| panic!("`{name}` stands for nothing known: {line}"));
        script.push_str(&format!("{{ {made}; }} || echo cannot make '{name}'\n"));
    }
    script.push_str(line);
    let reader = world.adj(["create", "-q", "--parent", boss, "--env", "ADJ_CLI=shell"]).expect_code(0);
    let asked = world.adj_with_input(["ask", reader.word(), "--timeout", "60s", "-f", "-"], script.as_bytes());
    let _ = world.adj(["kill", "--tree", "--force", reader.word()]).expect_code(0);
    assert!(!asked.stdout.contains("cannot make"), "{asked:#?}");
    (asked.code, format!("{}{}", asked.stdout, asked.stderr))
}

#[test]
fn every_command_of_the_skills_does_what_it_should() {
    let world = stage();
    let boss = world.shell();
    let mut met: BTreeSet<&(&str, i32, &str)> = BTreeSet::new();
    let (mut count, mut wrong) = (0, Vec::new());
    for (skill, text) in texts(&world) {
        for line in commands(&text) {
            let (code, said) = run(&world, &boss, line);
            count += 1;
            let refused = REFUSED.iter().find(|(refused, ..)| *refused == line);
            met.extend(refused);
            let as_it_should = match refused {
                Some((_, expected, word)) => code == *expected && said.to_lowercase().contains(word),
                None => code == 0,
            };
            if !as_it_should {
                wrong.push(format!("{skill}: {line}\n{code}: {said}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(count > 50, "{count} commands are not all of them");
    let gone: Vec<_> = REFUSED.iter().filter(|row| !met.contains(row)).collect();
    assert!(gone.is_empty(), "no skill says this any more: {gone:?}");
}

#[test]
fn a_command_that_does_not_exist_would_be_told() {
    let world = stage();
    let boss = world.shell();
    for line in
        ["adj send $id --fiel brief.md", "adj sned $id 'x'", "adj wait $id --any --untill done", "adj queue lst $id"]
    {
        let (code, said) = run(&world, &boss, line);
        assert_eq!(code, 2, "{line}: {said}");
        assert!(!REFUSED.iter().any(|(refused, ..)| *refused == line));
    }
}

/// What stands in the running text between backquotes and begins with `adj `.
fn mentions(text: &str) -> impl Iterator<Item = &str> {
    let spans = text.split("```").step_by(2).flat_map(|prose| prose.split('`').skip(1).step_by(2));
    spans.filter_map(|span| span.strip_prefix("adj ")).filter(|span| !span.starts_with(char::is_numeric))
}

#[test]
fn what_the_skills_mention_beside_exists_too() {
    let world = World::new();
    let mut count = 0;
    for (skill, text) in texts(&world) {
        for mention in mentions(&text) {
            let words: Vec<&str> = mention.split_whitespace().collect();
            let help = world.adj(["help", words[0]]);
            assert_eq!(help.code, 0, "{skill}: `adj {mention}`");
            let options = words.iter().filter(|word| word.starts_with('-'));
            for option in options {
                assert!(help.stdout.contains(option.trim_end_matches('=')), "{skill}: `adj {mention}`: {option}");
            }
            count += 1;
        }
    }
    assert!(count > 10, "{count} mentions are not all of them");
}
