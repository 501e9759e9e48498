//! The command line of Claude Code.

use std::path::Path;

use adjutant_core::agent::Mode;

use crate::LaunchPlan;
use crate::claude::directory::own_settings_only;
use crate::claude::hooks::given;
use crate::claude::resume::taken_up;

/// The words behind the program's name.
///
/// # Errors
/// Why a conversation cannot be taken up.
pub(super) fn words(plan: &LaunchPlan, config_dir: &Path, settings: &Path) -> Result<Vec<String>, String> {
    let profile = &plan.profile;
    let mode = match profile.mode {
        Mode::Native | Mode::Docker => "bypassPermissions",
        Mode::Guarded => "manual",
    };
    let mut words: Vec<String> = ["--permission-mode", mode, "--settings"].map(str::to_owned).to_vec();
    words.push(settings.display().to_string());
    match taken_up(plan, config_dir)? {
        None => words.extend(["--session-id".to_owned(), new_uuid()?]),
        Some(native) => words.extend(["--resume".to_owned(), native]),
    }
    words.extend(profile.model.iter().flat_map(|model| ["--model".to_owned(), model.clone()]));
    words.extend(profile.effort.iter().flat_map(|effort| ["--effort".to_owned(), effort.clone()]));
    // In every mode there are tools that ask nobody.
    if !profile.policy.deny.is_empty() {
        words.extend(["--disallowedTools".to_owned(), profile.policy.deny.join(",")]);
    }
    words.extend(own_settings_only(profile));
    // The settings among them are in the file already.
    words.extend(given(&profile.arguments, &plan.directory)?.1);
    Ok(words)
}

/// A random UUID.
fn new_uuid() -> Result<String, String> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| error.to_string())?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    Ok(adjutant_core::SessionId::from_bytes(bytes).to_string())
}
