//! `adj respond`.

use adjutant_api::types::request::{AnswerRequest, Decision, Question, Request, RequestKindWord, RequestsQuery};
use adjutant_api::{ErrorBody, ErrorCode};
use adjutant_client::Client;

use crate::commands::Outcome;
use crate::context::Context;
use crate::details;
use crate::error::CommandError;
use crate::message::TextArgs;
use crate::result::request_words;
use crate::ui::Ui;
use crate::value::{RequestArg, SessionArg};

/// Answer a permission or a question of an agent
///
/// Without an answer the open requests are printed. The first answer wins, whether from here or from a person at the
/// session's terminal.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct RespondArgs {
    /// The session; not needed with `--request`
    #[arg(value_name = "id", required_unless_present = "request")]
    id: Option<SessionArg>,

    #[command(flatten)]
    text: TextArgs,

    /// Which request; needed only when several are open
    #[arg(long, value_name = "request")]
    request: Option<RequestArg>,

    /// Permit it, this once
    #[arg(long, group = "decision")]
    allow: bool,

    /// Permit it for the rest of the session
    #[arg(long, group = "decision")]
    always: bool,

    /// Refuse it
    #[arg(long, group = "decision")]
    deny: bool,

    /// With `--deny`: what the agent is told
    #[arg(long, value_name = "text", requires = "deny", allow_hyphen_values = true)]
    reason: Option<String>,

    /// Choose an option by number or label; may be repeated; `question=option` where several are asked
    #[arg(long, value_name = "option", group = "decision")]
    choose: Vec<String>,

    /// Close it without an answer; what the agent makes of it is its own: Codex ends the turn with a permission so closed
    #[arg(long, group = "decision")]
    dismiss: bool,
}

pub(crate) async fn run_respond(context: &mut Context, args: &RespondArgs) -> Outcome {
    let limit = context.message_max_bytes()?;
    let answer = answer(args, limit)?;
    let (ui, client) = context.parts()?;
    let Some(answer) = answer else {
        return show(ui, client, args).await;
    };
    let request = match &args.request {
        Some(request) => request.to_string(),
        None => the_only(client, args).await?.id,
    };
    let responded = client.respond(&request, &answer).await?;
    if ui.json {
        ui.document(&responded)?;
    } else if !ui.quiet {
        ui.line(&format!("Answered {} for {}", responded.request.id, responded.request.session))?;
    }
    Ok(0)
}

fn answer(args: &RespondArgs, limit: u64) -> Result<Option<AnswerRequest>, CommandError> {
    let text = args.text.optional(limit)?.map(|text| text.text);
    let decision = match (args.allow, args.always, args.deny, args.dismiss) {
        (true, ..) => Some(Decision::Allow),
        (_, true, ..) => Some(Decision::Always),
        (_, _, true, _) => Some(Decision::Deny),
        (_, _, _, true) => Some(Decision::Dismiss),
        _ if !args.choose.is_empty() => Some(Decision::Choose),
        _ => None,
    };
    if decision.is_some() && text.is_some() {
        return Err(CommandError::usage("a text and a decision are two answers; give one"));
    }
    let decision = decision.or(text.is_some().then_some(Decision::Text));
    let answer = |decision| AnswerRequest {
        decision: Some(decision),
        reason: args.reason.clone(),
        choose: args.choose.clone(),
        text,
    };
    Ok(decision.map(answer))
}

async fn open(client: &mut Client, args: &RespondArgs) -> Result<Vec<Request>, CommandError> {
    let session = args.id.as_ref().map(ToString::to_string);
    let requests = client.requests(&RequestsQuery { session, ..RequestsQuery::default() }).await?;
    let wanted = |request: &Request| args.request.as_ref().is_none_or(|wanted| wanted.as_str() == request.id);
    Ok(requests.into_iter().filter(wanted).collect())
}

/// The one open request of the session.
async fn the_only(client: &mut Client, args: &RespondArgs) -> Result<Request, CommandError> {
    let requests = open(client, args).await?;
    let id = args.id.as_ref().map_or("the session", SessionArg::as_str);
    match requests.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(CommandError::new(ErrorCode::RequestNotPending, format!("{id} waits for no answer"))),
        several => {
            let words: Vec<String> = several.iter().map(request_words).collect();
            let ids: Vec<String> = several.iter().map(|request| request.id.clone()).collect();
            let message = format!("{id} waits for several answers ({})", words.join("; "));
            let body = ErrorBody::new(ErrorCode::RequestAmbiguous, message);
            Err(body.with_hint(format!("adj respond {id}")).with_detail("requests", ids).into())
        }
    }
}

async fn show(ui: &mut Ui, client: &mut Client, args: &RespondArgs) -> Outcome {
    let requests = open(client, args).await?;
    if ui.json {
        ui.document(&requests)?;
    } else if requests.is_empty() {
        let what = args.id.as_ref().map(ToString::to_string);
        let what = what.or(args.request.as_ref().map(ToString::to_string)).unwrap_or_default();
        ui.line(&format!("No pending request for {what}"))?;
    } else {
        requests.iter().try_for_each(|request| print(ui, request))?;
    }
    Ok(0)
}

fn print(ui: &mut Ui, request: &Request) -> Result<(), CommandError> {
    ui.line(&format!("{} in {}", request_words(request), request.session))?;
    if request.questions.is_empty() {
        if request.kind == RequestKindWord::Permission {
            details::lines(&request.input).iter().try_for_each(|line| ui.line(line))?;
            ui.line("  answer with --allow, --always, --deny [--reason <text>] or --dismiss")?;
        }
        return request.options.iter().try_for_each(|option| ui.line(&format!("  {} {}", option.n, option.label)));
    }
    request.questions.iter().enumerate().try_for_each(|(n, question)| print_question(ui, n + 1, question))?;
    // A text says to no question which it is for.
    let takes_text = matches!(request.questions.as_slice(), [only] if only.free_text);
    if takes_text { ui.line("    or a text of your own") } else { Ok(()) }
}

fn print_question(ui: &mut Ui, n: usize, question: &Question) -> Result<(), CommandError> {
    let several = if question.multiple { " (several may be chosen)" } else { "" };
    ui.line(&format!("  {n} {}: {}{several}", question.label, question.text))?;
    question.options.iter().try_for_each(|option| {
        let description = option.description.as_ref().map_or_else(String::new, |text| format!(" - {text}"));
        ui.line(&format!("    {} {}{description}", option.n, option.label))
    })
}
