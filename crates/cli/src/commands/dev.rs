//! `adj dev`: what the project makes from its own tables.

use std::path::PathBuf;

use crate::commands::Outcome;
use crate::context::Context;
use crate::error::CommandError;
use crate::{documents, house};

/// Print what is made from the tables of this build
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct DevArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand, Clone, Debug)]
enum Action {
    /// The OpenAPI document
    Openapi,
    /// The reference page, as Markdown
    Reference,
    /// The manual pages, into a directory
    Man {
        /// The directory
        directory: PathBuf,
    },
    /// A large store for benches, in the home of this environment
    Fill {
        /// Ended sessions
        #[arg(long, default_value_t = 0)]
        sessions: usize,
        /// Events of one more session
        #[arg(long, default_value_t = 0)]
        events: usize,
    },
}

pub(crate) fn run_dev(context: &mut Context, args: &DevArgs) -> Outcome {
    match &args.action {
        Action::Openapi => {
            let document = adjutant_api::openapi::document();
            let text = serde_json::to_string_pretty(&document).map_err(|error| CommandError::internal(&error))?;
            context.ui.line(&text)?;
        }
        Action::Reference => context.ui.text(&documents::reference())?,
        Action::Man { directory } => documents::write_manual(directory)?,
        Action::Fill { sessions, events } => house::fill(&Context::home()?, *sessions, *events)?,
    }
    Ok(0)
}
