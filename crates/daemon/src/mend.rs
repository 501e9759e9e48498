//! Mending a store while no daemon runs: for `adj doctor`.

use adjutant_api::home::Home;
use adjutant_api::protocol::VERSION;
use adjutant_api::{ErrorBody, ErrorCode};
use adjutant_store::RepairError;

use crate::lock::HomeLock;
use crate::start::locked;

/// Writes the projections anew from the log, after a copy of the store was made. Gives a sentence on what was done.
///
/// # Errors
/// When a daemon serves the home, or the log cannot be read.
pub fn rebuild(home: &Home) -> Result<String, ErrorBody> {
    let _lock = HomeLock::take(&home.state).map_err(|error| locked(&error))?;
    let rebuilt = adjutant_store::rebuild(&home.state).map_err(|error| unmended(&error))?;
    Ok(format!(
        "{} events folded into {} sessions; the store as it was is in {}",
        rebuilt.events,
        rebuilt.sessions,
        rebuilt.backup.display()
    ))
}

/// Brings a damaged or missing store back to its last good state and keeps what was damaged. Gives a sentence on what
/// was kept and what was lost.
///
/// # Errors
/// When a daemon serves the home, when the store is sound, or when nothing can be done.
pub fn repair(home: &Home) -> Result<String, ErrorBody> {
    let _lock = HomeLock::take(&home.state).map_err(|error| locked(&error))?;
    let repaired = adjutant_store::repair(&home.state, VERSION).map_err(|error| unrepaired(home, &error))?;
    let aside =
        repaired.aside.as_ref().map_or_else(String::new, |path| format!("; the damaged file is {}", path.display()));
    Ok(format!(
        "{} events salvaged, {} from a copy, {} sessions; lost: {} stretches of the log, {} events without sense, {} without \
         their session, {} texts{aside}",
        repaired.events_salvaged,
        repaired.events_from_backup,
        repaired.sessions,
        repaired.breaks.len(),
        repaired.events_malformed,
        repaired.events_orphaned,
        repaired.texts_lost,
    ))
}

/// Where nothing is left to repair, only an empty store is left; nobody but the user may decide that.
fn unrepaired(home: &Home, error: &RepairError) -> ErrorBody {
    let told = unmended(error);
    match error {
        RepairError::NothingLeft { .. } => {
            let state = home.state.display();
            let told = ErrorBody { message: format!("{}; without it, all begins anew", told.message), ..told };
            told.with_hint(format!("mv {state} {state}.lost"))
        }
        RepairError::NotDamaged { .. }
        | RepairError::Unusable(_)
        | RepairError::NoCopy(_)
        | RepairError::Failed { .. } => told,
    }
}

fn unmended(error: &RepairError) -> ErrorBody {
    ErrorBody::new(ErrorCode::StoreCorrupt, error.to_string())
}
