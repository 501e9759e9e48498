//! `adj requests`.

use adjutant_api::types::request::{Request, RequestsQuery};

use tokio::task::LocalSet;

use crate::commands::Outcome;
use crate::commands::status::now;
use crate::context::Context;
use crate::duration::age;
use crate::hosts;
use crate::table::{self, Column};
use crate::value::SessionArg;

/// List what agents ask and wait for, oldest first
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct RequestsArgs {
    /// Only of sessions of this agent
    #[arg(long, value_name = "name")]
    cli: Option<String>,

    /// Only of this session and its descendants
    #[arg(long, value_name = "id")]
    tree: Option<SessionArg>,
}

const COLUMNS: [Column; 5] = [
    Column::Left("REQUEST"),
    Column::Left("SESSION"),
    Column::Left("KIND"),
    Column::Free("SUMMARY"),
    Column::Right("AGE"),
];

pub(crate) async fn run_requests(context: &mut Context, args: &RequestsArgs) -> Outcome {
    let tree = args.tree.as_ref().map(ToString::to_string);
    let query = RequestsQuery { session: None, cli: args.cli.clone(), tree };
    // A tree is one of this machine.
    let (others, unread) = hosts::others(context, query.tree.is_some())?;
    let (ui, client) = context.parts()?;
    let there = hosts::requests(others, query.clone());
    let (here, (there, warnings)) =
        LocalSet::new().run_until(async { tokio::join!(client.requests(&query), there) }).await;
    let mut requests = here?;
    warnings.iter().chain(&unread).for_each(|warning| ui.warning(warning));
    requests.extend(there);
    requests.sort_by_key(|request| request.opened_at.as_millis());
    if ui.json {
        ui.document(&requests)?;
    } else if ui.quiet {
        requests.iter().try_for_each(|request| ui.line(&request.id))?;
    } else if requests.is_empty() {
        ui.line("No pending requests")?;
    } else {
        let rows: Vec<Vec<String>> = requests.iter().map(row).collect();
        ui.text(&table::set(&COLUMNS, &rows, table::terminal_width()))?;
    }
    Ok(0)
}

fn row(request: &Request) -> Vec<String> {
    let open = u64::try_from(now().as_millis() - request.opened_at.as_millis()).unwrap_or(0);
    vec![
        request.id.clone(),
        request.session.clone(),
        request.kind.to_string(),
        table::first_line(&request.summary),
        age(open),
    ]
}
