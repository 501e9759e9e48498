//! Words that a caller has chosen for a new session.

use crate::Chosen;

/// Sandboxes that Codex has.
const SANDBOXES: [&str; 3] = ["read-only", "workspace-write", "danger-full-access"];

/// The parts of a thread's id: so many hexadecimal digits each.
const ID_PARTS: [usize; 5] = [8, 4, 4, 4, 12];

/// Refuses a word that can be nothing.
///
/// # Errors
/// What it should have been.
pub(super) fn check(chosen: Chosen<'_>) -> Result<(), String> {
    if let Some(sandbox) = chosen.sandbox.filter(|word| !SANDBOXES.contains(word)) {
        return Err(format!("Codex has no sandbox `{sandbox}`; it has {}", SANDBOXES.join(", ")));
    }
    match chosen.conversation.filter(|id| !is_id(id)) {
        Some(id) => Err(format!("`{id}` is no id of a conversation of Codex's, such as `adj inspect` shows")),
        None => Ok(()),
    }
}

fn is_id(word: &str) -> bool {
    let parts = word.split('-').map(|part| part.chars().all(|c| c.is_ascii_hexdigit()).then_some(part.len()));
    parts.eq(ID_PARTS.map(Some))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_nothing_is_refused() {
        let with = |sandbox, conversation| check(Chosen { sandbox, conversation });
        assert_eq!(with(None, None), Ok(()));
        assert_eq!(with(Some("read-only"), Some("01a1f984-0aee-7523-8099-69355ed68365")), Ok(()));
        assert!(with(Some("nonsense"), None).is_err_and(|why| why.contains("workspace-write")));
        for odd in ["nonsense", "", "01a1f984-0aee-7523-8099-69355ed6836", "01a1f984-0aee-7523-8099-69355ed6836x"] {
            assert!(with(None, Some(odd)).is_err(), "{odd}");
        }
    }
}
