//! Scripts: what the model is to do, as markers in a text.
//!
//! A marker is `[[verb words]]`; everything around markers is ignored, and so is `[[` before a word that is no verb.
//! `[[then]]` ends a step; each step is one answer of the model, and the next one is played when the agent comes back.
//!
//! | marker | what the model does |
//! |---|---|
//! | `[[say TEXT]]` | writes text; a TEXT that begins with `"` is a JSON string |
//! | `[[repeat N TEXT]]` | writes text N times over |
//! | `[[report]]` | writes the text that the last tool returned, as a model does that tells what it found |
//! | `[[think TEXT]]` | thinks |
//! | `[[tool NAME JSON]]` | calls a tool; several in one step are parallel calls |
//! | `[[pause MS]]` | is silent for so long |
//! | `[[hold GATE]]` | is silent until the gate is opened |
//! | `[[hang]]` | is silent until the client goes away |
//! | `[[status CODE]]`, `[[status CODE xN]]` | answers with this error, for ever or the first N times |
//! | `[[error KIND]]`, `[[error KIND xN]]` | writes an error into the stream |
//! | `[[drop]]`, `[[drop xN]]` | cuts the connection |
//! | `[[stop REASON]]` | ends with this reason |
//! | `[[usage IN OUT]]`, `[[usage IN OUT READ WRITE]]` | claims to have used so many tokens, READ and WRITE of the cache |

use serde::Deserialize;
use serde_json::Value;

use crate::limits::PAUSE_MS_MAX;

/// One answer of the model.
pub type Step = Vec<Move>;

/// One thing that the model does.
#[derive(Clone, Debug, PartialEq)]
pub enum Move {
    /// Writes this text.
    Say(String),
    /// Writes what the last tool returned. A dialect makes it a text when it has read the request.
    Report,
    /// Thinks this text.
    Think(String),
    /// Calls a tool.
    Tool {
        /// Its name.
        name: String,
        /// Its input.
        input: Value,
    },
    /// Is silent for so many milliseconds.
    Pause(u64),
    /// Is silent until this gate is opened.
    Hold(String),
    /// Is silent until the client goes away.
    Hang,
    /// Answers with this HTTP status.
    Status {
        /// The code.
        code: u16,
        /// How often; `None` for ever.
        tries: Option<u32>,
    },
    /// Writes an error of this kind into the stream.
    StreamError {
        /// The kind, in the dialect's words.
        kind: String,
        /// How often; `None` for ever.
        tries: Option<u32>,
    },
    /// Cuts the connection.
    Drop {
        /// How often; `None` for ever.
        tries: Option<u32>,
    },
    /// Ends with this reason.
    Stop(String),
    /// Claims to have used so many tokens.
    Usage(Usage),
}

/// Tokens that a model claims to have used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Read from the prompt.
    pub input: u64,
    /// Written.
    pub output: u64,
    /// Read from the cache.
    pub cache_read: u64,
    /// Written to the cache.
    pub cache_write: u64,
}

impl Default for Usage {
    fn default() -> Self {
        Self { input: 20, output: 10, cache_read: 0, cache_write: 0 }
    }
}

impl Move {
    /// How often it happens before the step goes on without it; `None` for always.
    pub(crate) fn tries(&self) -> Option<u32> {
        match self {
            Self::Status { tries, .. } | Self::StreamError { tries, .. } | Self::Drop { tries } => *tries,
            Self::Say(_)
            | Self::Report
            | Self::Think(_)
            | Self::Tool { .. }
            | Self::Pause(_)
            | Self::Hold(_)
            | Self::Hang
            | Self::Stop(_)
            | Self::Usage(_) => None,
        }
    }
}

/// Rules for texts without a marker, usually read from a file.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Book {
    /// The first rule whose words are in the newest text of the user counts.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// What is played where no rule fits; `[[say ok]]` when empty.
    #[serde(default)]
    pub otherwise: String,
}

/// One rule.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Words that the text contains.
    pub contains: String,
    /// The script.
    pub script: String,
}

impl Book {
    /// The script for a text without markers.
    pub fn script_for(&self, text: &str) -> &str {
        let fits = self.rules.iter().find(|rule| text.contains(&rule.contains)).map(|rule| rule.script.as_str());
        let otherwise = if self.otherwise.is_empty() { "[[say ok]]" } else { &self.otherwise };
        fits.unwrap_or(otherwise)
    }

    /// The step to play: `texts` are the user's, oldest first, each with how often the model has answered since.
    ///
    /// The newest text that holds a marker is the script; without any, the newest text finds its rule. A script that has
    /// come to its end says `done`.
    ///
    /// # Errors
    /// What is wrong with a marker.
    pub fn step<'a>(&self, texts: &[(&'a str, usize)]) -> Result<Found<'a>, String> {
        let newest = texts.last().copied().unwrap_or(("", 0));
        let marked = texts.iter().rev().find(|(text, _)| has_marker(text)).copied();
        let (text, answered) = marked.unwrap_or(newest);
        let steps = parse(if marked.is_some() { text } else { self.script_for(text) })?;
        let step = steps.get(answered).cloned().unwrap_or_else(|| vec![Move::Say("done".to_owned())]);
        Ok(Found { text, number: answered, step })
    }
}

/// A step that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found<'a> {
    /// The user's text to which it belongs.
    pub text: &'a str,
    /// Its number in its script, from 0.
    pub number: usize,
    /// What to do.
    pub step: Step,
}

/// The step with what the last tool returned in the places where it is to be told.
pub(crate) fn reported(step: Step, result: impl FnOnce() -> String) -> Step {
    if !step.contains(&Move::Report) {
        return step;
    }
    let said = Move::Say(result());
    step.into_iter().map(|made| if made == Move::Report { said.clone() } else { made }).collect()
}

const VERBS: [&str; 14] = [
    "say", "report", "repeat", "think", "tool", "pause", "hold", "hang", "status", "error", "drop", "stop", "usage",
    "then",
];

/// Whether a text holds a marker.
pub fn has_marker(text: &str) -> bool {
    next_marker(text).is_some()
}

/// The verb of the first marker, and what stands behind it.
fn next_marker(text: &str) -> Option<(&'static str, &str)> {
    text.match_indices("[[").find_map(|(at, _)| {
        let behind = &text[at + 2..];
        let verb = VERBS.into_iter().find(|verb| is_verb(behind, verb))?;
        Some((verb, &behind[verb.len()..]))
    })
}

fn is_verb(behind: &str, verb: &str) -> bool {
    behind.strip_prefix(verb).is_some_and(|rest| rest.starts_with(' ') || rest.starts_with("]]"))
}

/// The steps of a script; at least one.
///
/// # Errors
/// What is wrong with a marker.
pub fn parse(text: &str) -> Result<Vec<Step>, String> {
    let mut steps = vec![Step::new()];
    let mut rest = text;
    while let Some((verb, behind)) = next_marker(rest) {
        let (made, left) = read_marker(verb, behind.trim_start_matches(' '))?;
        match (made, steps.last_mut()) {
            (Some(made), Some(step)) => step.push(made),
            (Some(_), None) | (None, _) => steps.push(Step::new()),
        }
        rest = left;
    }
    Ok(steps)
}

/// One marker as its move, `None` for the end of a step, and the text behind it.
fn read_marker<'a>(verb: &str, words: &'a str) -> Result<(Option<Move>, &'a str), String> {
    if verb == "tool" {
        let (name, input) = words.split_once(' ').ok_or("a tool needs its name and its input")?;
        let (input, rest) = json(input)?;
        return Ok((Some(Move::Tool { name: name.to_owned(), input }), rest));
    }
    if matches!(verb, "say" | "think") && words.starts_with('"') {
        let (said, rest) = json(words)?;
        let said = said.as_str().unwrap_or_default().to_owned();
        return Ok((Some(if verb == "say" { Move::Say(said) } else { Move::Think(said) }), rest));
    }
    let (words, rest) = words.split_once("]]").ok_or_else(|| format!("[[{verb} has no end"))?;
    Ok((plain(verb, words)?, rest))
}

fn json(text: &str) -> Result<(Value, &str), String> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let value = values.next().ok_or("a document is missing")?.map_err(|error| format!("a marker's JSON: {error}"))?;
    let rest = text[values.byte_offset()..].trim_start();
    let rest = rest.strip_prefix("]]").ok_or("a marker's document is not followed by ]]")?;
    Ok((value, rest))
}

fn plain(verb: &str, words: &str) -> Result<Option<Move>, String> {
    Ok(Some(match verb {
        "say" => Move::Say(words.to_owned()),
        "report" => Move::Report,
        "think" => Move::Think(words.to_owned()),
        "repeat" => {
            let (count, text) = words.split_once(' ').ok_or("repeat needs a number and a text")?;
            Move::Say(text.repeat(number(count)?))
        }
        "pause" => Move::Pause(number::<u64>(words)?.min(PAUSE_MS_MAX)),
        "hold" => Move::Hold(words.to_owned()),
        "hang" => Move::Hang,
        "status" => {
            let (code, tries) = tried(words)?;
            Move::Status { code: number(code)?, tries }
        }
        "error" => {
            let (kind, tries) = tried(words)?;
            Move::StreamError { kind: kind.to_owned(), tries }
        }
        "drop" => Move::Drop { tries: tried(words)?.1 },
        "stop" => Move::Stop(words.to_owned()),
        "usage" => Move::Usage(usage(words)?),
        _ => return Ok(None),
    }))
}

/// `429 x2` as `429` and 2.
fn tried(words: &str) -> Result<(&str, Option<u32>), String> {
    let (first, last) = words.rsplit_once(' ').map_or(("", words), |split| split);
    match last.strip_prefix('x') {
        Some(tries) => Ok((first, Some(number(tries)?))),
        None => Ok((words, None)),
    }
}

fn usage(words: &str) -> Result<Usage, String> {
    let numbers: Vec<u64> = words.split_whitespace().map(number).collect::<Result<_, _>>()?;
    match *numbers.as_slice() {
        [input, output] => Ok(Usage { input, output, ..Usage::default() }),
        [input, output, cache_read, cache_write] => Ok(Usage { input, output, cache_read, cache_write }),
        _ => Err("usage needs two or four numbers".to_owned()),
    }
}

fn number<T: std::str::FromStr>(word: &str) -> Result<T, String> {
    word.trim().parse().map_err(|_| format!("`{word}` is no number that fits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_found_among_words() {
        let text = "please [[say hi]] and then [[tool Bash {\"a\":[[1]]}]] [[then]] [[usage 7 8]][[say \"a]]b\\n\"]]";
        let tool = Move::Tool { name: "Bash".into(), input: serde_json::json!({"a": [[1]]}) };
        let usage = Move::Usage(Usage { input: 7, output: 8, ..Usage::default() });
        assert_eq!(parse(text).unwrap(), [vec![Move::Say("hi".into()), tool], vec![usage, Move::Say("a]]b\n".into())]]);
    }

    #[test]
    fn tries() {
        let made = &parse("[[status 529 x3]][[drop]][[drop x1]][[error overloaded_error]]").unwrap()[0];
        let tries: Vec<_> = made.iter().map(Move::tries).collect();
        assert_eq!(tries, [Some(3), None, Some(1), None]);
        assert!(matches!(&made[0], Move::Status { code: 529, .. }));
    }

    #[test]
    fn what_a_tool_returned_is_told() {
        let step = parse("so: [[say a]] [[report]]").unwrap().remove(0);
        assert_eq!(reported(step, || "b".into()), [Move::Say("a".into()), Move::Say("b".into())]);
    }

    #[test]
    fn text_that_is_no_marker() {
        assert!(!has_marker("[[ -f x ]] && [[saying]] [[unknown 1]]"));
        assert_eq!(parse("[[ -f x ]]").unwrap(), [Step::new()]);
        assert!(parse("[[say hi").is_err() && parse("[[pause soon]]").is_err() && parse("[[tool X {]]").is_err());
    }

    #[test]
    fn the_newest_marked_text_is_the_script() {
        let book = Book { rules: vec![], otherwise: "[[say plain]]".into() };
        let found = book.step(&[("[[say a]]", 3), ("[[say b]][[then]][[say c]]", 1), ("more", 0)]).unwrap();
        assert_eq!((found.number, found.step), (1, vec![Move::Say("c".into())]));
        assert_eq!(book.step(&[("x", 0)]).unwrap().step, [Move::Say("plain".into())]);
        assert_eq!(book.step(&[("[[say b]]", 1)]).unwrap().step, [Move::Say("done".into())]);
    }

    #[test]
    fn rules_in_their_order() {
        let rule = |contains: &str, script: &str| Rule { contains: contains.into(), script: script.into() };
        let book = Book { rules: vec![rule("tests", "[[say 1]]"), rule("", "[[say 2]]")], otherwise: String::new() };
        assert_eq!((book.script_for("run tests"), book.script_for("x")), ("[[say 1]]", "[[say 2]]"));
        assert_eq!(Book::default().script_for("x"), "[[say ok]]");
    }
}
