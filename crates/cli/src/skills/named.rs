//! A first message that names an installed skill.

use std::path::Path;

use adjutant_api::ErrorCode;
use adjutant_api::types::session::CreateSession;

use crate::error::CommandError;
use crate::house;
use crate::way::Way;

/// The first message of a session, opened by naming a skill that its agent finds: one of its user, or one of its directory or
/// of a directory above that. The name is looked for as it is, and is nothing but a name.
pub(crate) fn opened(
    way: &Way,
    session: &CreateSession,
    skill: &str,
    message: Option<String>,
) -> Result<String, CommandError> {
    if !matches!(way, Way::Here) {
        let message = format!("`--skill {skill}`: which skills are installed elsewhere is not known here");
        return Err(CommandError::new(ErrorCode::NotSupported, message));
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if skill.is_empty() || !skill.chars().all(is_plain) {
        return Err(CommandError::usage("`--skill` is the name of a skill: letters, digits, `-` and `_`"));
    }
    let all = house::skill_places(&session.environment);
    let Some((_, places)) = all.into_iter().find(|(agent, _)| *agent == session.cli) else {
        let message = format!("{} looks for no skills, and `--skill {skill}` names one", session.cli);
        return Err(CommandError::new(ErrorCode::NotSupported, message));
    };
    let file = Path::new(skill).join("SKILL.md");
    let local = Path::new(&session.path).ancestors().any(|above| above.join(&places.local).join(&file).is_file());
    if !local && !places.global.join(&file).is_file() {
        let at = places.global.display();
        let message = format!("{} has no skill `{skill}`, neither in {at} nor in its directory", session.cli);
        return Err(CommandError::usage(message));
    }
    let named = format!("Use the skill `{skill}`.");
    Ok(message.map_or_else(|| named.clone(), |text| format!("{named}\n\n{text}")))
}
