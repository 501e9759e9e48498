//! Waiting for sessions of several hosts: a wait at each of them, and one result of them all.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use adjutant_api::ExitCode;
use adjutant_api::types::turn::{OutcomeWord, TurnResult, WaitQuery};

use crate::commands::status::told;
use crate::commands::wait::{code_among_several, note_timeout, show_one_of_several};
use crate::context::Group;
use crate::duration::Limit;
use crate::error::CommandError;
use crate::ui::Ui;

/// What is known so far.
struct Found<'a> {
    ui: &'a mut Ui,
    results: Vec<TurnResult>,
    /// Of those that gave no result.
    others: Vec<ExitCode>,
    failed: Option<CommandError>,
}

/// Waits at all of them at once, and says of each session what came of it, as it is known. It is over when all of them are
/// done, or as many as the call wants, or when somebody has to answer. A host that is out of reach does not stop the rest.
pub(crate) async fn wait(
    ui: &mut Ui,
    groups: Vec<Group<'_>>,
    query: &WaitQuery,
    print: bool,
    limit: Limit,
) -> Result<(Vec<TurnResult>, ExitCode), CommandError> {
    let found = RefCell::new(Found { ui, results: Vec::new(), others: Vec::new(), failed: None });
    let waits = groups.into_iter().map(|group| boxed(one(group, query, print, limit, &found))).collect();
    let wanted = query.count.and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX);
    let answers = |one: &TurnResult| !query.through_input && one.outcome == OutcomeWord::WaitingForInput;
    let enough = || {
        let found = found.borrow();
        found.failed.is_some() || found.results.len() >= wanted || found.results.iter().any(answers)
    };
    all(waits, enough).await;
    let is_enough = enough();
    let Found { results, others, failed, .. } = found.into_inner();
    if let Some(error) = failed {
        return Err(error);
    }
    // Who is not waited for any more does not count.
    let others = if is_enough { Vec::new() } else { others };
    let code = ExitCode::of_several(results.iter().map(code_among_several).chain(others));
    Ok((results, code))
}

/// The wait at one host.
async fn one(group: Group<'_>, query: &WaitQuery, print: bool, limit: Limit, found: &RefCell<Found<'_>>) {
    let query = WaitQuery { session: group.ids, count: None, ..query.clone() };
    let each = |result: &TurnResult| {
        let found = &mut *found.borrow_mut();
        if found.failed.is_none() {
            found.failed = show_one_of_several(found.ui, result, print).err();
        }
        found.results.push(result.clone());
    };
    let ended = group.client.wait(&query, each).await;
    let found = &mut *found.borrow_mut();
    let late = match ended {
        Ok(Some(ended)) => ended.results.into_iter().filter(|one| one.outcome == OutcomeWord::Timeout).collect(),
        Ok(None) => query.session.iter().map(|id| late(id)).collect::<Vec<_>>(),
        Err(error) => return found.others.push(told(found.ui, &error.into())),
    };
    for late in late {
        note_timeout(found.ui, &late.session, limit);
        if found.ui.json && found.failed.is_none() {
            found.failed = found.ui.document(&late).err();
        }
        found.others.push(ExitCode::Timeout);
    }
}

fn late(id: &str) -> TurnResult {
    TurnResult { outcome: OutcomeWord::Timeout, ..TurnResult::idle(id.to_owned()) }
}

/// Work on this thread.
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Puts it where `all` wants it.
pub(crate) fn boxed<'a, T>(work: impl Future<Output = T> + 'a) -> Boxed<'a, T> {
    Box::pin(work)
}

/// Does all of it at once, until all is done or it is enough.
pub(crate) async fn all<T>(work: Vec<Boxed<'_, T>>, enough: impl Fn() -> bool) -> Vec<T> {
    let mut open: Vec<_> = work.into_iter().map(Some).collect();
    let mut done = Vec::new();
    poll_fn(|context| {
        for slot in &mut open {
            let Some(work) = slot else { continue };
            if let Poll::Ready(said) = work.as_mut().poll(context) {
                done.push(said);
                *slot = None;
            }
            if enough() {
                return Poll::Ready(());
            }
        }
        if open.iter().any(Option::is_some) { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    done
}
