//! The unit of systemd's user manager that runs the gateway: a text, made of values that may hold anything.

use std::fmt::Write as _;

use super::service::Service;

/// The text of the unit.
pub(super) fn unit(service: &Service) -> String {
    let mut text = String::from(
        "# Written by `adj gateway install`; `adj gateway uninstall` removes it.\n\
         [Unit]\n\
         Description=Adjutant gateway\n\
         \n\
         [Service]\n\
         Type=notify\n",
    );
    for (name, value) in &service.variables {
        let _ = writeln!(text, "Environment={}", quoted(&format!("{name}={value}")));
    }
    let words: Vec<String> = service.command.iter().map(|word| quoted(word)).collect();
    // The colon keeps the manager from putting variables into the words.
    let _ = writeln!(text, "ExecStart=:{}", words.join(" "));
    text.push_str(
        "Restart=on-failure\n\
         RestartSec=2\n\
         # The daemon and the sessions outlive the gateway that has started them.\n\
         KillMode=process\n\
         # Its lines are in gateway.log, in the state directory.\n\
         StandardOutput=null\n\
         \n\
         [Install]\n\
         WantedBy=default.target\n",
    );
    text
}

/// A word as the manager reads it back: in quotes, C escapes inside, and no specifiers.
fn quoted(word: &str) -> String {
    let mut text = String::from("\"");
    for c in word.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            '%' => text.push_str("%%"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            '\r' => text.push_str("\\r"),
            c if c.is_ascii_control() => {
                let _ = write!(text, "\\x{:02x}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h11_values_in_unit_files_are_escaped() {
        let service = Service {
            command: vec![
                "/opt/a b/adj".to_owned(),
                "gateway".to_owned(),
                "--socket".to_owned(),
                "/x/$HOME\"%h".to_owned(),
            ],
            variables: vec![("PATH".to_owned(), "/a&b:/c%d:/e\"f\\g:/h'i\nWantedBy=x".to_owned())],
        };
        let text = unit(&service);
        assert!(
            text.contains("\nExecStart=:\"/opt/a b/adj\" \"gateway\" \"--socket\" \"/x/$HOME\\\"%%h\"\n"),
            "{text}"
        );
        assert!(text.contains("\nEnvironment=\"PATH=/a&b:/c%%d:/e\\\"f\\\\g:/h'i\\nWantedBy=x\"\n"), "{text}");
        assert_eq!(text.matches("WantedBy=").count(), 2, "{text}");
        assert_eq!(text.lines().filter(|line| line.starts_with("WantedBy=")).count(), 1, "{text}");
    }
}
