//! `adj ask`.

use adjutant_api::exit_code::number_of;
use adjutant_api::types::turn::{AnswersQuery, OutcomeWord, TurnResult, WaitQuery};

use crate::commands::send::{SendOptions, note_dropped, note_hold};
use crate::commands::{Outcome, wait};
use crate::context::Context;
use crate::duration::Limit;
use crate::error::CommandError;
use crate::message::TextArgs;
use crate::result;
use crate::value::SessionArg;

/// Send a message, wait for its turn, print the answer
///
/// The exit code is the outcome; for a shell session it is the command's own. When somebody has to answer first (3) or
/// the time is over (124), the message stays, and standard error says where its answer will be.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct AskArgs {
    /// The session
    #[arg(value_name = "id")]
    id: SessionArg,

    #[command(flatten)]
    text: TextArgs,

    #[command(flatten)]
    options: SendOptions,

    /// Give up after this long; the turn goes on
    #[arg(short, long, value_name = "duration")]
    timeout: Option<Limit>,

    /// With the text written between tool calls
    #[arg(long)]
    full: bool,
}

pub(crate) async fn run_ask(context: &mut Context, args: &AskArgs) -> Outcome {
    let text = args.text.required(context.message_max_bytes()?)?;
    let limit = context.timeout(args.timeout)?;
    let (ui, client) = context.parts()?;
    let sent = client.send(args.id.as_str(), &args.options.message(text.text)).await?;
    note_dropped(ui, text.dropped);
    note_hold(ui, &sent.message);
    let message = sent.message.id;
    let query = WaitQuery {
        session: vec![args.id.to_string()],
        r#for: Some(message.clone()),
        timeout_ms: limit.millis(),
        ..WaitQuery::default()
    };
    let mut found = wait::one(client, &query).await?;
    if args.full {
        found.answer = full_answer(client, &found).await?.or(found.answer);
    }
    if ui.json {
        ui.document(&found)?;
        return Ok(number_of(&found));
    }
    result::print_answer(ui, &found)?;
    if found.outcome == OutcomeWord::Timeout {
        wait::note_timeout(ui, &found.session, limit);
    }
    if matches!(found.outcome, OutcomeWord::Timeout | OutcomeWord::WaitingForInput) {
        result::explain_stays(ui, &found.session, &message);
    }
    result::explain(ui, &found);
    Ok(number_of(&found))
}

/// All text of the turn, where it is still the last one.
async fn full_answer(client: &mut adjutant_client::Client, found: &TurnResult) -> Result<Option<String>, CommandError> {
    let query = AnswersQuery { n: Some(1), full: true, ..AnswersQuery::default() };
    let answers = client.answers(&found.session, &query).await?;
    Ok(answers.into_iter().find(|answer| Some(answer.turn) == found.turn).map(|answer| answer.text))
}
