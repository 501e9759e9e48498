//! Hostile texts: each reaches the model byte for byte.

use adjutant_fakemodel::openai;

use super::Codex;
use crate::claude_texts::corpus;
use crate::look::{messages, record};

/// Sessions among which the texts are dealt.
const SESSIONS: usize = 4;

/// Texts that one session is sent before anybody waits for it.
const IN_A_ROW: usize = 16;

/// The texts of the user that the model was sent with the newest request of a session.
fn heard(codex: &Codex, session: &str) -> Vec<String> {
    let record = record(&codex.world, session);
    let thread = record["agent_session"].as_str().expect("a thread");
    let requests = codex.model.recorder().requests();
    let newest = requests.iter().rev().find(|(request, _)| openai::thread_of(request) == Some(thread));
    newest.map(|(request, _)| openai::user_texts(request)).unwrap_or_default()
}

#[test]
fn three_hundred_hostile_texts_arrive_byte_for_byte() {
    let codex = Codex::new();
    let sessions: Vec<String> = (0..SESSIONS).map(|_| codex.native()).collect();
    let (blank, texts): (Vec<String>, Vec<String>) = corpus().into_iter().partition(|text| text.trim().is_empty());
    let send = |session: &str, text: &str| {
        codex.world.adj_with_input(["send", "-q", session, "-f", "-"], text.as_bytes()).code
    };
    for row in texts.chunks(SESSIONS * IN_A_ROW) {
        for (number, text) in row.iter().enumerate() {
            assert_eq!(send(&sessions[number % SESSIONS], text), 0, "{text:?}");
        }
        for session in &sessions {
            let _ = codex.world.adj(["wait", session]).expect_code(0);
        }
    }
    for (place, session) in sessions.iter().enumerate() {
        let rows = texts.chunks(SESSIONS * IN_A_ROW);
        let sent: Vec<&String> = rows.flat_map(|row| row.iter().skip(place).step_by(SESSIONS)).collect();
        let heard = heard(&codex, session);
        assert_eq!(heard.iter().collect::<Vec<_>>(), sent, "each whole, once, in order");
        assert_eq!(messages(&codex.world, session).len(), sent.len());
    }
    println!("{} texts in {SESSIONS} sessions; {} of nothing but white space", texts.len(), blank.len());
    assert!(texts.len() >= 300);
    codex.assert_sound();
}
