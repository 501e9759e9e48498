//! `adj completions`.

use clap_complete::Shell;

use crate::commands::{Outcome, tree};
use crate::context::Context;
use crate::error::CommandError;

/// Print the completion script of a shell
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run_completions(context: &mut Context, args: &CompletionsArgs) -> Outcome {
    if context.ui.json {
        return Err(CommandError::usage("`completions` has no JSON form"));
    }
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut tree(), "adj", &mut script);
    context.ui.text(&String::from_utf8_lossy(&script))?;
    Ok(0)
}
