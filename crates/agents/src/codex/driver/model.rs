//! The model that was asked for: Codex begins a thread with any word for one, and only the first turn would fail.

use adjutant_core::agent::StartFailure;
use serde_json::{Value, json};

use super::Driver;
use super::thread::failed;
use crate::codex::limits::{MODEL_PAGES_MAX, PAGE_MODELS};
use crate::codex::wire::{AskError, Link};

/// The provider whose models the app-server can list. Of those of any other it knows nothing.
const LISTED_PROVIDER: &str = "openai";

/// A model in the app-server's list.
struct Listed {
    name: String,
    is_hidden: bool,
}

impl Driver {
    /// Refuses a model that the thread's provider is known not to have.
    ///
    /// # Errors
    /// When it has no such model, or the app-server went away.
    pub(super) async fn judge_model(&mut self, link: &mut Link, thread: &Value) -> Result<(), StartFailure> {
        let Some(model) = self.profile.model.clone() else { return Ok(()) };
        if thread["modelProvider"] != LISTED_PROVIDER {
            return Ok(());
        }
        let Some(known) = listed(link).await? else { return Ok(()) };
        if known.iter().any(|listed| listed.name == model) {
            return Ok(());
        }
        let shown: Vec<&str> = known.iter().filter(|listed| !listed.is_hidden).map(|one| one.name.as_str()).collect();
        let detail = format!("Codex has no model `{model}`; it has {}", shown.join(", "));
        Err(StartFailure::AgentStartFailed { detail })
    }
}

/// All models of the list; `None` where it cannot be had whole, which says nothing about any model.
async fn listed(link: &mut Link) -> Result<Option<Vec<Listed>>, StartFailure> {
    let (mut found, mut cursor) = (Vec::new(), Value::Null);
    for _ in 0..MODEL_PAGES_MAX {
        let params = json!({"includeHidden": true, "limit": PAGE_MODELS, "cursor": cursor});
        let page = match link.ask("model/list", params).await {
            Ok(page) => page,
            Err(AskError::Refused(_)) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        found.extend(page["data"].as_array().into_iter().flatten().filter_map(read));
        cursor = page["nextCursor"].clone();
        if cursor.is_null() {
            return Ok(Some(found).filter(|found| !found.is_empty()));
        }
    }
    Ok(None)
}

fn read(model: &Value) -> Option<Listed> {
    let name = model["model"].as_str()?.to_owned();
    Some(Listed { name, is_hidden: model["hidden"].as_bool().unwrap_or(false) })
}
