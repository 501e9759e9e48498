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
    /// A model server that plays scripts instead of thinking, until it is ended
    ///
    /// It speaks the protocols of the model APIs on loopback. What it answers is written as markers in the text that the
    /// agent is sent, such as `[[say hello]]` or `[[tool Bash {"command":"date"}]] [[then]] [[say done]]`, or in the rules
    /// of a file. Its address is the first line of the output.
    FakeModel {
        /// Print the variables with which an agent of the Messages API finds it
        #[arg(long)]
        anthropic: bool,
        /// Print the config.toml with which an agent of the Responses API finds it
        #[arg(long)]
        openai: bool,
        /// The port; any that is free without it
        #[arg(long, default_value_t = 0)]
        port: u16,
        /// A JSON file of rules for texts without markers: `{"rules":[{"contains":"…","script":"…"}],"otherwise":"…"}`
        #[arg(long, value_name = "FILE")]
        book: Option<PathBuf>,
        /// A file to which every request is added as a line of JSON
        #[arg(long, value_name = "FILE")]
        log: Option<PathBuf>,
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
        Action::FakeModel { anthropic, openai, port, book, log } => {
            let server = house::fake_model(*port, book.as_deref(), log.clone())?;
            context.ui.line(&server.url())?;
            let variables = if *anthropic { house::messages_api_variables(&server) } else { Vec::new() };
            variables.iter().try_for_each(|variable| context.ui.line(variable))?;
            if *openai {
                context.ui.text(&house::responses_api_config(&server))?;
            }
            context.ui.flush()?;
            loop {
                // A signal ends it, as it ends any program.
                std::thread::park();
            }
        }
        Action::Fill { sessions, events } => house::fill(&Context::home()?, *sessions, *events)?,
    }
    Ok(0)
}
