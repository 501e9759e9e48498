//! `adj status`.

use adjutant_api::types::session::{Session, StatusWord, Why};
use adjutant_api::{ExitCode, WireTime};

use crate::commands::Outcome;
use crate::context::{Context, client_of};
use crate::duration::age;
use crate::error::CommandError;
use crate::table::{self, Column};
use crate::ui::Ui;
use crate::value::SessionArg;

/// Print the state of a session in one word
///
/// `starting`, `idle`, `working`, `waiting_for_input`, `exited`, or `unknown`. Reading it changes and starts nothing.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct StatusArgs {
    /// The sessions
    #[arg(value_name = "id", required = true)]
    id: Vec<SessionArg>,

    /// Say where the word comes from: each source, what it last said and when, and what contradicts it
    #[arg(long)]
    explain: bool,
}

pub(crate) async fn run_status(context: &mut Context, args: &StatusArgs) -> Outcome {
    let ids: Vec<String> = args.id.iter().map(ToString::to_string).collect();
    let (ui, mut groups) = context.groups(&ids)?;
    let mut sessions = Vec::new();
    let mut code = ExitCode::Completed;
    for id in &args.id {
        let client = client_of(&mut groups, id.as_str())?;
        let found = match args.explain {
            true => client.explain(id.as_str()).await,
            false => client.session(id.as_str()).await,
        };
        match found.map_err(CommandError::from) {
            Ok(session) => sessions.push(session),
            Err(error) if args.id.len() == 1 => return Err(error),
            Err(error) => code = ExitCode::of_several([code, told(ui, &error)]),
        }
    }
    print(ui, &sessions, args)?;
    Ok(code.number())
}

/// Says why one of several has no result; the rest go on.
pub(crate) fn told(ui: &Ui, error: &CommandError) -> ExitCode {
    if let CommandError::Told(body) = error {
        ui.error(body);
    }
    ExitCode::from_number(error.exit()).unwrap_or(ExitCode::Refused)
}

fn print(ui: &mut Ui, sessions: &[Session], args: &StatusArgs) -> Result<(), CommandError> {
    match (sessions, ui.json, args.id.len()) {
        ([session], true, 1) => ui.document(session),
        (all, true, _) => ui.document(&all),
        (all, false, asked) => all.iter().try_for_each(|session| print_one(ui, session, asked > 1, args.explain)),
    }
}

fn print_one(ui: &mut Ui, session: &Session, several: bool, explain: bool) -> Result<(), CommandError> {
    match several {
        true => ui.line(&format!("{}\t{}", session.id, session.status))?,
        false => ui.line(session.status.as_str())?,
    }
    match &session.why {
        Some(why) if explain => ui.text(&explained(session, why)),
        Some(why) if session.status == StatusWord::Unknown => {
            note_unknown(ui, session, why);
            Ok(())
        }
        Some(_) | None => Ok(()),
    }
}

/// Why nobody can say.
fn note_unknown(ui: &Ui, session: &Session, why: &Why) {
    let known = why.last_known.as_ref().map_or_else(String::new, |word| format!("; last known: {word}"));
    ui.note(&format!("{}: {}{known}", session.id, why.summary));
    ui.hint(&format!("adj status --explain {}", session.id));
}

fn explained(session: &Session, why: &Why) -> String {
    let columns = [Column::Left("SOURCE"), Column::Left("AT"), Column::Right("AGE"), Column::Free("SAID")];
    let newest = now();
    let row = |source: &str, said: &str, at: WireTime| {
        let since = u64::try_from(newest.as_millis() - at.as_millis()).unwrap_or(0);
        vec![source.to_owned(), at.to_string(), age(since), table::first_line(said)]
    };
    let mut rows: Vec<_> = why.evidence.iter().map(|s| row(s.source.as_str(), &s.said, s.at)).collect();
    if rows.is_empty() {
        rows.push(row(session.source.as_str(), &why.summary, session.observed_at));
    }
    let mut text = format!("{}\n", why.summary);
    text.push_str(&table::set(&columns, &rows, table::terminal_width()));
    why.contradictions.iter().for_each(|one| text.push_str(&format!("contradicted by: {one}\n")));
    if let Some(needs) = &why.needs {
        text.push_str(&format!("to become known it needs: {needs}\n"));
    }
    text
}

/// The present moment.
pub(crate) fn now() -> WireTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    WireTime::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
