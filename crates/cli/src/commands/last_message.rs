//! `adj last-message`.

use adjutant_api::types::turn::AnswersQuery;

use crate::commands::Outcome;
use crate::context::Context;
use crate::value::SessionArg;

/// Print the last answers of a session
///
/// An answer is the final text of one turn, whole. While a turn runs, the last ended one is shown.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct LastMessageArgs {
    /// The session
    #[arg(value_name = "id")]
    id: SessionArg,

    /// How many, oldest first
    #[arg(short = 'n', long, value_name = "n", default_value_t = 1, hide_default_value = true,
        value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,

    /// All text of each turn, also between tool calls
    #[arg(long, conflicts_with = "blocks")]
    full: bool,

    /// One entry per text block
    #[arg(long)]
    blocks: bool,
}

pub(crate) async fn run_last_message(context: &mut Context, args: &LastMessageArgs) -> Outcome {
    let (ui, client) = context.parts()?;
    let query = AnswersQuery { n: Some(args.count), full: args.full, blocks: args.blocks };
    let answers = client.answers(args.id.as_str(), &query).await?;
    if ui.json && args.blocks {
        let texts: Vec<&str> = answers.iter().map(|answer| answer.text.as_str()).collect();
        ui.document(&texts)?;
        return Ok(0);
    }
    if ui.json {
        ui.document(&answers)?;
        return Ok(0);
    }
    if answers.is_empty() {
        ui.note(&format!("{} has given no answer yet", args.id));
    }
    for (at, answer) in answers.iter().enumerate() {
        ui.text(if at > 0 { "\n" } else { "" })?;
        ui.text(&answer.text)?;
        ui.text(if answer.text.is_empty() { "" } else { "\n" })?;
        match answer.cut_bytes {
            0 => {}
            bytes if answer.text.is_empty() => {
                let turn = answer.turn;
                ui.warning(&format!("{bytes} bytes of turn {turn} are left out here: adj logs --since {turn} -n 1"));
            }
            bytes => ui.warning(&format!("{bytes} bytes are left out of the middle of turn {}", answer.turn)),
        }
    }
    Ok(0)
}
