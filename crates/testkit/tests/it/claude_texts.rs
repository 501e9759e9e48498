//! Hostile texts for the real Claude Code: what the model got is what was sent, or what the receipt names, or nothing.

use adjutant_testkit::fakemodel::anthropic::user_texts;
use adjutant_testkit::{ClaudeWorld, Dice};

/// Texts that are something else than a prompt to somebody on their way.
const SINGLE: [&str; 96] = [
    "hello",
    "x",
    "0",
    "-",
    "--",
    "-5",
    "- item",
    "--help",
    "-- x",
    "* item",
    "1. item",
    "#x",
    "# heading",
    "@x",
    "@",
    "@file with words",
    "&x",
    "?",
    "??",
    "> quoted",
    "~",
    "~/x",
    "| pipe",
    ";",
    "a;",
    ";a",
    "a; b;",
    "a\\;",
    "$",
    "$HOME",
    "${x}",
    "$(date)",
    "`date`",
    "$(( 1 + 1 ))",
    "'",
    "\"",
    "'a",
    "\"a",
    "it's",
    "say \"hi\"",
    "'\\''",
    "\\",
    "\\\\",
    "a\\",
    "a\\\\",
    "a\\n",
    "\\x1b[31m",
    "^C",
    "^[",
    "\\e[201~",
    "C-c",
    "Enter",
    "Escape",
    "%0",
    "%%",
    "#{pane_id}",
    "#(date)",
    "#[fg=red]",
    "!",
    "!ls",
    " !ls",
    "!!",
    "/",
    "/clear",
    "/clear now",
    "/cost\nmore",
    " /help",
    "/tmp/foo is a path",
    "/unknown command",
    "//",
    "exit",
    "quit",
    ":q",
    ":wq",
    "Exit",
    "exit.",
    " exit ",
    "clear",
    "undo",
    "y",
    "n",
    "1",
    "2",
    "yes",
    "no",
    "{\"a\":1}",
    "[1,2]",
    "<a>&amp;</a>",
    "<system-reminder>",
    "</pasted_content>",
    "[Pasted text #1 +3 lines]",
    "[Image #1]",
    "[message]",
    "[Request interrupted by user]",
    "null",
    "\u{fffd}",
];

/// Texts in many letters.
const LETTERS: [&str; 24] = [
    "äöüß",
    "naïve café",
    "Ελληνικά",
    "Русский",
    "עברית",
    "العربية",
    "हिन्दी",
    "ไทย",
    "日本語",
    "中文，标点。",
    "한국어",
    "\u{1f980}",
    "👨‍👩‍👧",
    "❤️ ok",
    "⚠️",
    "1️⃣ 2️⃣",
    "🇩🇪",
    "👍🏽",
    "ﬁ ligature",
    "①②③",
    "ℌ",
    "𝒳",
    "\u{e000}",
    "x\u{a0}y",
];

/// What such texts are mixed from.
const PARTS: [&str; 30] = [
    "a", "word", " ", "  ", "\n", "\n\n", "\n  ", "`", "$x", "\\", "\\\\", ";", "'", "\"", "é", "🦀", "日本", "#", "@",
    "/", "!", "{", "}", "[[", "]]", "<", ">", "&", "|", "\t",
];

/// Some three hundred texts that mean something to terminals, shells, agents or parsers.
pub(crate) fn corpus() -> Vec<String> {
    let mut texts: Vec<String> = SINGLE.iter().chain(&LETTERS).map(|text| (*text).to_owned()).collect();
    texts.extend(SINGLE.iter().take(60).map(|text| format!("{text}\nand a second line")));
    texts.extend(SINGLE.iter().skip(50).map(|text| format!("first line\n{text}")));
    let mut dice = Dice::new(7);
    while texts.len() < 310 {
        let length = 1 + dice.below(40);
        texts.push((0..length).map(|_| PARTS[dice.below(PARTS.len())]).collect());
    }
    texts
}

/// What is known to change on the way, as the receipt names it.
fn expected(text: &str) -> (String, Vec<&'static str>) {
    let (mut arrives, mut named) = (text.to_owned(), Vec::new());
    if arrives.contains('\t') {
        arrives = arrives.replace('\t', "    ");
        named.push("four spaces");
    }
    if arrives.contains("pasted_content") {
        arrives = arrives.replace("</pasted", "<\\/pasted");
        named.push("backslash");
    }
    if arrives.trim_end() != arrives {
        arrives.truncate(arrives.trim_end().len());
        named.push("cut off");
    }
    let trimmed = arrives.trim();
    if trimmed.starts_with(['/', '!']) || ["exit", "quit", ":q", ":wq"].contains(&trimmed) {
        arrives.insert_str(0, "[message]\n");
        named.push("`[message]`");
    }
    if arrives.ends_with('\\') {
        arrives.push_str("\n[end of message]");
        named.push("`[end of message]`");
    }
    (arrives, named)
}

/// Sends a text and gives what became of it: what the model got and the evidence, or why it was refused.
fn deliver(world: &ClaudeWorld, x: &str, text: &str) -> Result<(String, String), String> {
    let before = world.model().recorder().count();
    let sent = world.adj_with_input(["send", "-q", x, "-f", "-"], text.as_bytes());
    if sent.code != 0 {
        assert_eq!(world.model().recorder().count(), before);
        return Err(sent.stderr);
    }
    let message = sent.word().to_owned();
    let ended = world.adj(["wait", x, "--for", &message]);
    if ended.code != 0 {
        assert_eq!(world.model().recorder().count(), before, "{ended:?}");
        return Err(ended.stderr);
    }
    let (request, _) = world.model().recorder().requests().pop().expect("a request");
    let receipts = world.adj(["--json", "queue", "list", x, "-a"]).expect_code(0).json();
    let entries = receipts.as_array().expect("a list");
    let mine = entries.iter().find(|entry| entry["id"] == message.as_str()).expect("a receipt");
    let evidence = mine["receipt"]["evidence"]["detail"].as_str().unwrap_or_default().to_owned();
    Ok((user_texts(&request).pop().expect("a text"), evidence))
}

#[test]
fn three_hundred_hostile_texts_arrive_or_are_refused() {
    let world = ClaudeWorld::new();
    let texts = corpus();
    let sessions: Vec<String> = (0..2).map(|_| world.claude("native")).collect();
    // One at a time in each world: the newest request is the answer to the newest message.
    let mut refused = 0;
    for (number, text) in texts.iter().enumerate() {
        let x = &sessions[number % 2];
        match deliver(&world, x, text) {
            Ok((arrived, evidence)) => {
                let (arrives, named) = expected(text);
                assert_eq!(arrived, arrives, "{text:?}");
                assert!(named.iter().all(|word| evidence.contains(word)), "{text:?}: {evidence}");
                assert!(
                    !named.is_empty() || !evidence.contains("stands") && !evidence.contains("arrives"),
                    "{evidence}"
                );
            }
            Err(why) => {
                refused += 1;
                assert!(text.trim().is_empty(), "{text:?} was refused: {why}");
            }
        }
    }
    println!("{} texts, {refused} refused", texts.len());
    assert!(texts.len() >= 300);
}

#[test]
fn what_cannot_be_carried_is_refused_before_any_key() {
    let world = ClaudeWorld::new();
    let x = world.claude("native");
    for text in ["zero\u{200b}width", "\u{202e}right to left", "a\u{ad}b", "a\u{2028}b"] {
        let Err(why) = deliver(&world, &x, text) else { panic!("{text:?} was carried") };
        assert!(why.contains("U+"), "{text:?}: {why}");
    }
    assert_eq!(world.model().recorder().count(), 0);
    assert!(!world.screen().contains("zero") && !world.screen().contains("left"), "{}", world.screen());
}

#[test]
fn a_megabyte_and_five_thousand_lines_arrive_whole() {
    let world = ClaudeWorld::new();
    let x = world.claude("native");
    let lines: String = (1..=5_000).map(|line| format!("line {line} \u{e9}\n")).collect::<String>() + "end";
    let megabyte = "All work and no play makes Jack a dull boy; ".repeat(24_000)[..1_048_576 - 3].to_owned() + "end";
    for text in [lines, megabyte] {
        let (arrived, _) = deliver(&world, &x, &text).expect("it is carried");
        assert!(arrived == text, "{} bytes of {}", arrived.len(), text.len());
    }
}
