//! Variables that say how a program is to be, and none of which is a secret.

/// What any program needs to work for this user.
const NAMES: [&str; 16] = [
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "PATH",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TERM",
    "TMPDIR",
    "EDITOR",
    "VISUAL",
    "COLORTERM",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
];

/// Beginnings of such names.
const PREFIXES: [&str; 2] = ["LC_", "XDG_"];

/// Whether a variable says what any program needs to work for its user: places, language, terminal, certificates.
pub fn is_common_variable(name: &str) -> bool {
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether a variable says something that any program needs, or where an agent keeps its things.
pub fn is_plain_variable(name: &str) -> bool {
    let places = [crate::claude::SKILLS.variable, crate::codex::SKILLS.variable];
    is_common_variable(name) || places.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::is_plain_variable;

    #[test]
    fn no_secret_is_plain() {
        for name in ["PATH", "HOME", "LC_ALL", "XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR", "CODEX_HOME"] {
            assert!(is_plain_variable(name), "{name}");
        }
        for name in
            ["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "SSH_AUTH_SOCK", "ADJ_SESSION_TOKEN", "LD_PRELOAD", "https_proxy"]
        {
            assert!(!is_plain_variable(name), "{name}");
        }
    }
}
