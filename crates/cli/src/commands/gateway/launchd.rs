//! The agent of launchd that runs the gateway: a text, made of values that may hold anything.

use super::service::Service;

/// The text of the property list.
pub(super) fn plist(label: &str, service: &Service) -> String {
    let words: String =
        service.command.iter().map(|word| format!("        <string>{}</string>\n", escaped(word))).collect();
    let variable = |(name, value): &(String, String)| {
        format!("        <key>{}</key>\n        <string>{}</string>\n", escaped(name), escaped(value))
    };
    let variables: String = service.variables.iter().map(variable).collect();
    let label = escaped(label);
    // The daemon and the sessions outlive the gateway that has started them, so its group is left alone.
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         <!-- Written by `adj gateway install`; `adj gateway uninstall` removes it. -->\n\
         <plist version=\"1.0\">\n<dict>\n    <key>Label</key>\n    <string>{label}</string>\n    \
         <key>ProgramArguments</key>\n    <array>\n{words}    </array>\n    \
         <key>EnvironmentVariables</key>\n    <dict>\n{variables}    </dict>\n    \
         <key>RunAtLoad</key>\n    <true/>\n    <key>KeepAlive</key>\n    <dict>\n        \
         <key>SuccessfulExit</key>\n        <false/>\n    </dict>\n    \
         <key>AbandonProcessGroup</key>\n    <true/>\n</dict>\n</plist>\n"
    )
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The command and the variables, as a stranger's reader of property lists finds them.
    #[expect(clippy::disallowed_methods, reason = "a stranger's reader is a program of its own")]
    fn read(text: &str) -> serde_json::Value {
        use std::io::Write;
        use std::process::{Command, Stdio};
        const READER: &str = "import json, plistlib, sys; p = plistlib.loads(sys.stdin.buffer.read()); \
                              print(json.dumps([p['ProgramArguments'], p['EnvironmentVariables']]))";
        let mut python = Command::new("python3");
        python.args(["-c", READER]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut python = python.spawn().unwrap();
        python.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        serde_json::from_slice(&python.wait_with_output().unwrap().stdout).unwrap()
    }

    #[test]
    fn h11_values_in_property_lists_are_escaped() {
        let service = Service {
            command: vec!["/opt/a&b/adj".to_owned(), "gateway".to_owned()],
            variables: vec![("PATH".to_owned(), "/x</string><string>:/y\"'".to_owned())],
        };
        let text = plist("dev.adjutant.gateway", &service);
        assert!(text.contains("<string>/opt/a&amp;b/adj</string>"), "{text}");
        assert!(text.contains("<string>/x&lt;/string&gt;&lt;string&gt;:/y&quot;&apos;</string>"), "{text}");
        assert!(text.contains("<key>AbandonProcessGroup</key>\n    <true/>"), "{text}");
        assert_eq!(read(&text), serde_json::json!([service.command, {"PATH": service.variables[0].1}]));
        let tags = |tag: &str| (text.matches(&format!("<{tag}>")).count(), text.matches(&format!("</{tag}>")).count());
        for tag in ["string", "dict", "array", "key"] {
            assert_eq!(tags(tag).0, tags(tag).1, "{tag}: {text}");
        }
    }
}
