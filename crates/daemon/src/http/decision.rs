//! From what a caller answers to the answer of a request, checked against what was asked.

use std::sync::Arc;

use adjutant_api::ErrorCode;
use adjutant_api::types::request::{AnswerRequest, Decision};
use adjutant_core::agent::{NewRequest, Question, RequestKind};
use adjutant_core::request::{Request, RequestAnswer};

use super::error::Failure;

/// The options of one question, however it was put.
struct Asked<'a> {
    label: &'a str,
    text: &'a str,
    options: Vec<&'a str>,
    multiple: bool,
    free_text: bool,
}

/// The answer, if it is of a kind that the request takes.
pub(crate) fn decide(request: &Request, wanted: AnswerRequest) -> Result<RequestAnswer, Failure> {
    let usage = |message: &str| Failure::new(ErrorCode::Usage, format!("{} {message}", request.id));
    let text = wanted.text.filter(|text| !text.contains('\0'));
    match (request.asked.kind, wanted.decision, text) {
        (RequestKind::Input, None | Some(Decision::Text), Some(text)) => Ok(RequestAnswer::Text(Arc::from(text))),
        // A question can be closed without an answer; a command that reads goes on reading.
        (RequestKind::Input, Some(Decision::Dismiss), None) if !request.asked.questions.is_empty() => {
            Ok(RequestAnswer::Dismiss)
        }
        (RequestKind::Input, _, _) => Err(usage("wants a text")),
        (RequestKind::Permission, Some(Decision::Allow), None) => Ok(RequestAnswer::Allow),
        (RequestKind::Permission, Some(Decision::Always), None) => Ok(RequestAnswer::Always),
        (RequestKind::Permission, Some(Decision::Deny), None) => Ok(RequestAnswer::Deny { reason: wanted.reason }),
        (RequestKind::Permission | RequestKind::Choice, Some(Decision::Dismiss), None) => Ok(RequestAnswer::Dismiss),
        (RequestKind::Permission, _, _) => Err(usage("is a permission: allow, always, deny or dismiss it")),
        (RequestKind::Choice, _, None) if !wanted.choose.is_empty() => {
            let chosen = choose(&asked(&request.asked), &wanted.choose).map_err(|why| usage(&why))?;
            Ok(RequestAnswer::Choose(chosen))
        }
        (RequestKind::Choice, _, Some(text)) if wanted.choose.is_empty() => match asked(&request.asked).as_slice() {
            [one] if one.free_text => Ok(RequestAnswer::Text(Arc::from(text))),
            [_] => Err(usage("takes one of its options alone")),
            _ => Err(usage("asks several questions: choose for each of them")),
        },
        (RequestKind::Choice, _, _) => Err(usage("wants a choice")),
    }
}

fn asked(request: &NewRequest) -> Vec<Asked<'_>> {
    if request.questions.is_empty() {
        let options = request.options.iter().map(String::as_str).collect();
        let (label, text) = ("", request.summary.as_str());
        return vec![Asked { label, text, options, multiple: request.multiple, free_text: true }];
    }
    request.questions.iter().map(one).collect()
}

fn one(question: &Question) -> Asked<'_> {
    let options = question.options.iter().map(|option| option.label.as_str()).collect();
    let (multiple, free_text) = (question.multiple, question.free_text);
    Asked { label: &question.label, text: &question.text, options, multiple, free_text }
}

/// For each question the options that were chosen: by number or label, behind the question where there are several.
fn choose(asked: &[Asked<'_>], words: &[String]) -> Result<Vec<Vec<usize>>, String> {
    let mut chosen: Vec<Vec<usize>> = vec![Vec::new(); asked.len()];
    for word in words {
        let (question, option) = find(asked, word)?;
        if !chosen[question].contains(&option) {
            chosen[question].push(option);
        }
    }
    for (question, options) in asked.iter().zip(&chosen) {
        match options.len() {
            0 => return Err(format!("asks `{}` too: choose for it", question.text)),
            1 => {}
            _ if question.multiple => {}
            _ => return Err(format!("takes one answer to `{}`", question.text)),
        }
    }
    Ok(chosen)
}

fn find(asked: &[Asked<'_>], word: &str) -> Result<(usize, usize), String> {
    if let [one] = asked
        && let Some(option) = option_of(one, word)
    {
        return Ok((0, option));
    }
    // A question may hold the sign itself, so every place of it counts.
    for (at, _) in word.match_indices('=') {
        let (name, rest) = (&word[..at], &word[at + 1..]);
        if let Some(question) = question_of(asked, name) {
            let option = option_of(&asked[question], rest);
            return option.map(|option| (question, option)).ok_or_else(|| no_option(&asked[question], rest));
        }
    }
    match asked {
        [one] => Err(no_option(one, word)),
        _ => Err(format!("asks several questions: write `{word}` as `<question>={word}`")),
    }
}

fn question_of(asked: &[Asked<'_>], name: &str) -> Option<usize> {
    let same = |question: &Asked<'_>| question.label.eq_ignore_ascii_case(name) || question.text == name;
    asked.iter().position(same).or_else(|| number(name, asked.len()))
}

fn option_of(question: &Asked<'_>, word: &str) -> Option<usize> {
    let exact = question.options.iter().position(|option| *option == word);
    exact.or_else(|| number(word, question.options.len())).or_else(|| {
        let mut near = question.options.iter().enumerate().filter(|(_, option)| option.eq_ignore_ascii_case(word));
        near.next().map(|(at, _)| at).filter(|_| near.next().is_none())
    })
}

/// A number from 1 to `most`, as a place counted from 0.
fn number(word: &str, most: usize) -> Option<usize> {
    word.parse::<usize>().ok()?.checked_sub(1).filter(|place| *place < most)
}

fn no_option(question: &Asked<'_>, word: &str) -> String {
    format!("has no option `{word}` (there is: {})", question.options.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colour(multiple: bool) -> Asked<'static> {
        let options = vec!["Red", "Blue", "2"];
        Asked { label: "Colour", text: "Which colour?", options, multiple, free_text: true }
    }

    fn size() -> Asked<'static> {
        Asked { label: "Size", text: "a=b or not?", options: vec!["S", "L"], multiple: false, free_text: true }
    }

    fn chosen(asked: &[Asked<'_>], words: &[&str]) -> Result<Vec<Vec<usize>>, String> {
        choose(asked, &words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn one_question_is_answered_by_number_or_label() {
        for (word, expected) in [("Blue", 1), ("blue", 1), ("1", 0), ("2", 2), ("Colour=1", 0), ("1=Red", 0)] {
            assert_eq!(chosen(&[colour(false)], &[word]), Ok(vec![vec![expected]]), "{word}");
        }
        for word in ["4", "0", "green", "Size=1"] {
            assert!(chosen(&[colour(false)], &[word]).is_err(), "{word}");
        }
    }

    #[test]
    fn several_answers_need_a_question_that_takes_them() {
        assert_eq!(chosen(&[colour(true)], &["Red", "Blue", "Red"]), Ok(vec![vec![0, 1]]));
        assert!(chosen(&[colour(false)], &["Red", "Blue"]).is_err());
    }

    #[test]
    fn several_questions_are_told_apart() {
        let asked = [colour(true), size()];
        let expected = Ok(vec![vec![1], vec![1]]);
        assert_eq!(chosen(&asked, &["Colour=Blue", "size=L"]), expected);
        assert_eq!(chosen(&asked, &["1=Blue", "2=2"]), expected);
        assert_eq!(chosen(&asked, &["Which colour?=Blue", "a=b or not?=L"]), expected);
        assert!(chosen(&asked, &["Colour=Blue"]).unwrap_err().contains("a=b or not?"));
        assert!(chosen(&asked, &["Blue", "L"]).is_err());
    }
}
