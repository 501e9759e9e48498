//! Files that are made from the code and stand in the checkout all the same, so that people and tools can read them.

use std::path::Path;

use anyhow::Result;

use crate::exec;

/// A file and the arguments with which `adj` prints it.
pub(crate) struct Generated {
    pub(crate) path: &'static str,
    pub(crate) args: &'static [&'static str],
}

/// All of them.
pub(crate) const GENERATED: [Generated; 2] = [
    Generated { path: "docs/openapi.json", args: &["dev", "openapi"] },
    Generated { path: "docs/reference.md", args: &["dev", "reference"] },
];

/// A sentence for each file that differs from what this `adj` prints, with how to make it anew.
pub(crate) fn differences(root: &Path, adj: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for generated in &GENERATED {
        let fresh = exec::output(exec::command(adj).args(generated.args).current_dir(root))?;
        let is_same = std::fs::read(root.join(generated.path)).is_ok_and(|kept| kept == fresh);
        if !is_same {
            found.push(format!("{} differs: {}", generated.path, remedy(generated)));
        }
    }
    Ok(found)
}

fn remedy(generated: &Generated) -> String {
    format!("cargo run --quiet -- {} > {}", generated.args.join(" "), generated.path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stands in for `adj`: it prints its arguments.
    const ECHO: &str = "echo";

    #[test]
    fn files_that_are_missing_or_differ_are_told() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(differences(root.path(), ECHO.as_ref()).unwrap().len(), GENERATED.len());
        std::fs::create_dir(root.path().join("docs")).unwrap();
        for generated in &GENERATED {
            std::fs::write(root.path().join(generated.path), format!("{}\n", generated.args.join(" "))).unwrap();
        }
        assert_eq!(differences(root.path(), ECHO.as_ref()).unwrap(), Vec::<String>::new());
        assert!(differences(root.path(), "no such program".as_ref()).is_err());
    }
}
