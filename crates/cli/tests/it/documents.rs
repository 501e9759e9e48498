//! What is made from the tables.

use crate::transcript::World;

#[test]
fn every_shell_has_a_script() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = world.bash(&format!("adj completions {shell}"));
        assert_eq!(output.status.code(), Some(0), "{shell}");
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(script.contains("last-message") && !script.contains("runner"), "{shell}");
    }
    let checked = world.bash("adj completions bash | bash -n");
    assert_eq!((checked.status.code(), checked.stderr), (Some(0), Vec::new()));
}

#[test]
fn every_verb_has_a_page() {
    let world = World::new();
    let output = world.bash("adj dev man pages && ls pages | tr '\n' ' '");
    let pages = String::from_utf8(output.stdout).unwrap();
    for page in ["adj.1", "adj-run.1", "adj-queue-list.1", "adj-daemon-stop.1", "adj-last-message.1"] {
        assert!(pages.split(' ').any(|name| name == page), "{page}: {pages}");
    }
    assert!(!pages.contains("runner") && !pages.contains("adj-dev"), "{pages}");
}

#[test]
fn the_openapi_document_is_json() {
    let output = World::new().bash("adj dev openapi");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("{\n") && text.contains("\"openapi\": \"3.1.0\""));
}

/// `adj dev reference > docs/reference.md` makes it anew.
#[test]
fn the_reference_page_is_the_one_of_this_build() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference.md");
    let output = World::new().bash("adj dev reference");
    let committed = std::fs::read_to_string(page).unwrap();
    assert!(committed.as_bytes() == output.stdout, "docs/reference.md is not what `adj dev reference` prints");
}
