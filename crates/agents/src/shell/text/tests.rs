use proptest::prelude::*;

use super::*;

/// The text of a stream as a terminal of 80 columns and 24 rows shows it.
fn clean(stream: &str) -> String {
    clean_bytes(stream.as_bytes()).text
}

fn clean_bytes(stream: &[u8]) -> CleanText {
    let mut text = TurnText::new(80, 24);
    text.push(stream);
    text.finish()
}

/// Each stream with the text that a person sees.
fn check(vectors: &[(&str, &str)]) {
    for (stream, expected) in vectors {
        assert_eq!(clean(stream), *expected, "{stream:?}");
    }
}

#[test]
fn plain_text_stays_as_it_is() {
    check(&[
        ("", ""),
        ("hi\r\n", "hi"),
        ("hi", "hi"),
        ("\r\n", ""),
        ("hi\r\n\r\n", "hi\n"),
        ("\r\n\r\nhi\r\n", "\n\nhi"),
        ("  a  \r\n b \r\n", "  a  \n b "),
        ("a\tb\t\r\n\tc\r\n", "a\tb\t\n\tc"),
        ("café ▐ 漢字 e\u{301} 👩\u{200d}👧\u{fe0f}\r\n", "café ▐ 漢字 e\u{301} 👩\u{200d}👧\u{fe0f}"),
        ("nul\0bell\x07del\x7fvt\r\n", "nulbelldelvt"),
    ]);
}

#[test]
fn lines_of_any_length_have_no_break_at_the_edge() {
    for length in [79, 80, 81, 160, 161, 5000] {
        let line = "0123456789".repeat(length / 10 + 1)[..length].to_owned();
        assert_eq!(clean(&format!("{line}\r\nnext\r\n")), format!("{line}\nnext"), "{length}");
        let wide = "漢".repeat(length);
        assert_eq!(clean(&format!("{wide}\r\nnext\r\n")), format!("{wide}\nnext"), "{length}");
    }
    let table: String = (0..60).map(|column| format!("{column}\t")).collect();
    assert_eq!(clean(&format!("{table}|\r\n")), format!("{table}|"));
}

#[test]
fn more_lines_than_the_screen_has_are_all_there() {
    let lines: Vec<String> = (0..1000).map(|line| format!("line {line}")).collect();
    assert_eq!(clean(&(lines.join("\r\n") + "\r\n")), lines.join("\n"));
}

#[test]
fn progress_is_resolved_to_its_last_state() {
    check(&[
        ("10%\r20%\r100%\r\n", "100%"),
        ("[=>   ] 20%\r[====>] done\r\n", "[====>] done"),
        (
            "Receiving objects:  10% (1/10)\rReceiving objects: 100% (10/10), done.\r\n",
            "Receiving objects: 100% (10/10), done.",
        ),
        (
            "   Compiling a v1\r\n    Building [=>  ] 1/2: a\r\x1b[K   Compiling b v1\r\n\r\x1b[K    Finished\r\n",
            "   Compiling a v1\n   Compiling b v1\n    Finished",
        ),
        ("long line\rshort\x1b[K\r\n", "short"),
        ("abc\x08\x08X\r\n", "aXc"),
        ("working |\x08/\x08-\x08 \x08\r\n", "working  "),
        ("one\r\ntwo\r\n\x1b[2Aone done\r\n\x1b[1Btwo?\x1b[G\r\n", "one done\ntwo\ntwo?"),
        ("a: 1\r\nb: 1\r\n\x1b[2A\r\x1b[2Ka: 2\r\n\x1b[2Kb: 2\r\n", "a: 2\nb: 2"),
    ]);
}

#[test]
fn f07_sequences_that_only_look_good_leave_nothing() {
    check(&[
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x", "x"),
        ("\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;unterminated", "0;unterminated"),
        ("\x1bPq#0\x1b\\after", "after"),
        ("\x1bPnoend text", "noend text"),
        ("\x1b7save\x1b8", "save"),
        ("\x1b=x\x1b>", "x"),
        ("\u{9b}31mc1", "c1"),
        ("x\x1b", "x"),
        ("x\x1b\r\ny", "x\ny"),
        ("\x1b]0;a\x1bb\x07c", "0;ac"),
        ("\x1b[38:2::1:2:3mcolon", "colon"),
        ("a\x1b[5Cb", "a     b"),
        ("a\x1b[Cb", "a b"),
        ("a\x1b[0Cb", "a b"),
        ("\x1b(Bok", "ok"),
        ("\x1b#8x", "x"),
        ("\x1b%Gu", "u"),
        ("\x1b[2J\x1b[Hhome", "home"),
        ("a\r\x1b[0m\nb", "a\nb"),
        ("\x1b]52;c;QUJD\x07ok", "ok"),
        ("\x1bPtmux;\x1b\x1b]52;c;QQ==\x07\x1b\\ok", "ok"),
        ("\x1b[31", ""),
        ("\x1b[3\x1b[1mz", "z"),
        ("\x1b\x1b[31mx", "x"),
        ("\x1bét", "ét"),
        ("x\u{85}y", "xy"),
        ("\u{9d}0;t\u{9c}x", "x"),
        ("\u{90}q\u{9c}x", "x"),
        ("\x1b]0;t\u{9c}x", "x"),
    ]);
}

#[test]
fn the_cursor_moves_as_on_a_terminal() {
    check(&[
        ("abc\x1b[2DX", "aXc"),
        ("abc\x1b[1GX", "Xbc"),
        ("a\x1b[10Gb", "a        b"),
        ("abc\x1b[1K", ""),
        ("abcdef\x1b[3D\x1b[1KX", "   Xef"),
        ("abcdef\x1b[4D\x1b[2P", "abef"),
        ("abef\x1b[2D\x1b[2@cd", "abcdef"),
        ("abcdef\x1b[4D\x1b[2X", "ab  ef"),
        ("a\r\nb\r\nc\x1b[2A\x1b[Lnew", "new\na\nb\nc"),
        ("a\r\nb\r\nc\r\x1b[1A\x1b[Lnew\x1b[2B", "a\nnew\nb\nc"),
        ("a\r\nb\r\nc\r\x1b[1A\x1b[M", "a\nc"),
        ("x\x1b[2;3Hy", "x\n  y"),
        ("one\x1b7\r\ntwo\x1b8!", "one!\ntwo"),
        ("a\r\nb\x1bM\rX", "X\nb"),
        ("ab\x1b[3b", "abbbb"),
        ("\x1b[4hbc\ra\x1b[4l", "abc"),
        ("漢字\x08\x08X", "漢X"),
        ("\x1b(0lqk\x1b(Bx", "┌─┐x"),
        ("a\tb\r12345678c", "12345678c"),
        ("a\tb\rA", "A\tb"),
    ]);
}

#[test]
fn what_a_full_screen_program_draws_is_no_text() {
    check(&[
        ("before\r\n\x1b[?1049h\x1b[H\x1b[2Jmenu\r\nmenu\x1b[?1049lafter\r\n", "before\nafter"),
        ("a\x1b[?1049hnever left", "a"),
        ("one\r\ntwo\r\n\x1b[H\x1b[2J\x1b[3Jclean\r\n", "clean"),
    ]);
}

#[test]
fn a_status_line_below_a_scrolling_part_does_not_mix_with_it() {
    // As apt does: the last row is kept out of the scrolling.
    let mut stream = String::from("\x1b7\x1b[1;23r\x1b8");
    for line in 0..100 {
        stream.push_str(&format!("line {line}\r\n\x1b7\x1b[24;1H\x1b[42mProgress: {line}%\x1b[0m\x1b8"));
    }
    stream.push_str("\x1b7\x1b[24;1H\x1b[K\x1b[1;24r\x1b8done\r\n");
    let expected: Vec<String> = (0..100).map(|line| format!("line {line}")).collect();
    assert_eq!(clean(&stream), format!("{}\ndone", expected.join("\n")));
}

#[test]
fn bytes_that_are_no_text_are_shown_and_counted() {
    let got = clean_bytes(b"a\xff\xfeb\xe2\x82\r\nc\xe2\x82");
    assert_eq!(got.text, "a\u{fffd}\u{fffd}b\u{fffd}\nc\u{fffd}");
    assert_eq!(got.invalid_bytes, 6);
}

#[test]
fn a_long_output_keeps_its_head_and_tail() {
    let mut text = TurnText::new(200, 50);
    for line in 0..400_000 {
        text.push(format!("{line:>30}\r\n").as_bytes());
    }
    let got = text.finish();
    assert!(got.cut_bytes > 10_000_000);
    assert!(got.text.starts_with(&format!("{:>30}\n", 0)));
    assert!(got.text.ends_with(&format!("\n{:>30}", 399_999)));
    assert!(got.text.contains(&format!("\n[... {} bytes left out ...]\n", got.cut_bytes)));
}

#[test]
fn strings_without_an_end_cost_linear_time() {
    for introducer in ["\x1bP", "\x1b]", "\u{9d}", "\x1b]0;\x1bP"] {
        let mut text = TurnText::new(80, 24);
        text.push(introducer.repeat(1024 * 1024 / introducer.len()).as_bytes());
        assert_eq!(text.finish().cut_bytes, 0);
    }
}

/// Pieces of streams: text, controls, whole and broken sequences, and any bytes.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let sequence = (prop::sample::select(b"ABCDEFGHIJKLMPSTXZ@bdfhlmrsu".to_vec()), 0..30u16, 0..30u16)
        .prop_map(|(last, first, second)| format!("\x1b[{first};{second}{}", char::from(last)).into_bytes());
    let piece = prop_oneof![
        "[ -~]{0,40}".prop_map(String::into_bytes),
        "\\PC{0,20}".prop_map(String::into_bytes),
        prop::sample::select(vec![
            "\r\n", "\n", "\r", "\t", "\x08", "\x1bM", "\x1b7", "\x1b8", "\x1bc", "\x1b(0", "\x1b(B"
        ])
        .prop_map(|control| control.as_bytes().to_vec()),
        sequence,
        prop::sample::select(vec![
            "\x1b[?1049h",
            "\x1b[?1049l",
            "\x1b[?7l",
            "\x1b[?7h",
            "\x1b]0;x\x07",
            "\x1bPq",
            "\x1b\\"
        ])
        .prop_map(|sequence| sequence.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..20),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn f07_any_pieces_give_the_same_text(stream in stream(), cuts in prop::collection::vec(1..50usize, 1..20)) {
        let whole = clean_bytes(&stream);
        let mut text = TurnText::new(80, 24);
        let (mut rest, mut cuts) = (stream.as_slice(), cuts.iter().cycle());
        while !rest.is_empty() {
            let (piece, more) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
            text.push(piece);
            rest = more;
        }
        prop_assert_eq!(text.finish(), whole);
    }

    #[test]
    fn f07_the_text_has_no_controls(stream in stream()) {
        let text = clean_bytes(&stream).text;
        prop_assert!(text.chars().all(|character| matches!(character, '\n' | '\t') || !character.is_control()), "{text:?}");
    }

    #[test]
    fn a_resize_in_the_middle_never_fails(stream in stream(), columns in 0..300u16, rows in 0..80u16) {
        let mut text = TurnText::new(80, 24);
        text.push(&stream);
        text.resize(columns, rows);
        text.push(&stream);
        text.resize(rows, columns);
        text.push(&stream);
        prop_assert!(text.current_line().len() < 4096);
        prop_assert_eq!(text.finish().cut_bytes, 0);
    }

    #[test]
    fn lines_without_controls_are_unchanged(lines in prop::collection::vec("[ -~äß漢🎉]{0,300}", 1..40)) {
        let stream: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        prop_assert_eq!(clean(&stream), lines.join("\n"));
    }
}

#[test]
fn zz_speed() {
    for (name, unit) in [
        ("ascii lines", "a line of output that is not too short, nor too long for one row\r\n".to_owned()),
        ("yes", "y\r\n".to_owned()),
        ("long line", "x".repeat(4096)),
        ("colour", "\x1b[32mok\x1b[0m some \x1b[1mtext\x1b[0m here\r\n".to_owned()),
        ("cjk", "漢字かな交じり文の行がここにある\r\n".to_owned()),
        ("progress", "\r 10% [====>      ] 12/40 file.txt".to_owned()),
        ("binary", String::new()),
        ("tsv", "a\tb\tc\td\r\n".to_owned()),
    ] {
        let mut chunk: Vec<u8> = unit.repeat(4096 / unit.len().max(1) + 1).into_bytes();
        if name == "binary" { chunk = (0..4096u32).map(|i| (i.wrapping_mul(2654435761) >> 13) as u8).collect(); }
        let mut text = TurnText::new(200, 50);
        let begun = std::time::Instant::now();
        let mut total = 0;
        while begun.elapsed().as_millis() < 400 { for _ in 0..100 { text.push(&chunk); total += chunk.len(); } }
        eprintln!("{name}: {:.0} MB/s", total as f64 / 1e6 / begun.elapsed().as_secs_f64());
    }
}
