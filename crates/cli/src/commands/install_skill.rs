//! `adj install-skill`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use adjutant_api::ErrorCode;
use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches};
use serde::Serialize;

use crate::commands::Outcome;
use crate::context::Context;
use crate::error::CommandError;
use crate::skills::{Content, Copy, SKILLS, Skill, State};
use crate::{house, variables};

/// Teach agents to use `adj`: install its skills where they look for them
///
/// Without an agent's option: for all agents that are there. A copy that somebody changed is left alone, and nothing is
/// written then, unless with `--force`. Nothing here needs the daemon.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct InstallSkillArgs {
    /// The skills: `adjutant`, `delegate`, `handoff`, `teammate`; all of them unless given
    #[arg(value_name = "name")]
    names: Vec<String>,

    /// For all directories of this user; the default
    #[arg(long, conflicts_with = "local")]
    global: bool,

    /// For the current directory
    #[arg(long)]
    local: bool,

    #[command(flatten)]
    agents: ChosenAgents,

    /// A short block for agents that read `AGENTS.md`: in that of the current directory, or of the agents that are there
    #[arg(long)]
    agents_md: bool,

    /// Also what somebody changed
    #[arg(long)]
    force: bool,

    /// Change nothing; say what is installed, and exit with 1 if a copy is not of this version
    #[arg(long, conflicts_with_all = ["force", "remove", "print"])]
    check: bool,

    /// Take away what was installed
    #[arg(long, conflicts_with = "print")]
    remove: bool,

    /// Print the skills instead of installing them
    #[arg(long)]
    print: bool,
}

/// The agents that were named: an option for each agent of this build that looks for skills.
#[derive(Clone, Debug, Default)]
struct ChosenAgents(Vec<String>);

/// The agents that can be named. Where they look does not matter here.
fn agents() -> impl Iterator<Item = String> {
    let somewhere = BTreeMap::from([("HOME".to_owned(), "/".to_owned())]);
    house::skill_places(&somewhere).into_iter().map(|(name, _)| name)
}

impl clap::Args for ChosenAgents {
    fn augment_args(command: Command) -> Command {
        agents().fold(command, |command, name| {
            let help = format!("For {name}");
            command.arg(Arg::new(name.clone()).long(name).action(ArgAction::SetTrue).help(help))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for ChosenAgents {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(agents().filter(|name| matches.get_flag(name)).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Agents that read one `AGENTS.md` for all directories, by their directory below the user's configuration.
const CONFIGURED_AGENTS: [&str; 2] = ["opencode", "amp"];

/// The file itself.
const AGENTS_MD: &str = "AGENTS.md";

/// What became of one copy, or what is there.
#[derive(Serialize)]
struct Told<'a> {
    skill: &'a str,
    agent: &'a str,
    file: &'a Path,
    state: &'static str,
}

pub(crate) fn run_install_skill(context: &mut Context, args: &InstallSkillArgs) -> Outcome {
    let skills = chosen(&args.names)?;
    if args.print {
        return print(context, &skills);
    }
    let copies = places(args, &skills)?;
    let found = copies.into_iter().map(|copy| copy.state().map(|state| (copy, state)));
    let found = found.collect::<Result<Vec<_>, _>>()?;
    match (args.check, args.remove) {
        (true, _) => check(context, &found),
        (false, true) => remove(context, &found, args.force),
        (false, false) => install(context, &found, args.force),
    }
}

fn chosen(names: &[String]) -> Result<Vec<Skill>, CommandError> {
    if names.is_empty() {
        return Ok(SKILLS.to_vec());
    }
    let find = |name: &String| {
        let found = SKILLS.into_iter().find(|skill| skill.name == name);
        let all = SKILLS.map(|skill| skill.name).join(", ");
        found.ok_or_else(|| CommandError::usage(format!("no skill `{name}`; there are: {all}")))
    };
    names.iter().map(find).collect()
}

fn print(context: &mut Context, skills: &[Skill]) -> Outcome {
    if context.ui.json {
        let texts: Vec<_> =
            skills.iter().map(|one| serde_json::json!({"skill": one.name, "text": one.text()})).collect();
        context.ui.document(&texts)?;
    } else {
        skills.iter().try_for_each(|skill| context.ui.text(&skill.text()))?;
    }
    Ok(0)
}

/// Every place that these options mean.
fn places(args: &InstallSkillArgs, skills: &[Skill]) -> Result<Vec<Copy>, CommandError> {
    let environment: BTreeMap<String, String> = variables::all()
        .into_iter()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let mut copies = Vec::new();
    for (agent, directory) in skill_directories(args, &environment)? {
        copies.extend(skills.iter().map(|skill| Copy {
            name: skill.name,
            reader: agent.clone(),
            file: directory.join(skill.name).join("SKILL.md"),
            content: Content::Skill(*skill),
        }));
    }
    let blocks = block_files(args, &environment)?.into_iter().map(|(reader, file)| Copy {
        name: AGENTS_MD,
        reader,
        file,
        content: Content::Block(skills.to_vec()),
    });
    Ok(copies.into_iter().chain(blocks).collect())
}

/// The agents that are meant, each with its directory of skills: those that were named, else those that are there, else
/// the first that there is.
fn skill_directories(
    args: &InstallSkillArgs,
    environment: &BTreeMap<String, String>,
) -> Result<Vec<(String, PathBuf)>, CommandError> {
    let mut all = house::skill_places(environment);
    if all.is_empty() {
        return Err(CommandError::new(ErrorCode::HomeMissing, "HOME is not set, so there is no place for skills"));
    }
    if args.agents.0.is_empty() && args.agents_md {
        return Ok(Vec::new());
    }
    if !args.agents.0.is_empty() {
        all.retain(|(name, _)| args.agents.0.contains(name));
    } else if all.iter().any(|(_, places)| places.present) {
        all.retain(|(_, places)| places.present);
    } else {
        all.truncate(1);
    }
    let here = std::env::current_dir()?;
    Ok(all.into_iter().map(|(name, at)| (name, if args.local { here.join(at.local) } else { at.global })).collect())
}

/// The files with a block, and who reads them. Unasked, none is made where nobody has one.
fn block_files(
    args: &InstallSkillArgs,
    environment: &BTreeMap<String, String>,
) -> Result<Vec<(String, PathBuf)>, CommandError> {
    if !args.agents.0.is_empty() && !args.agents_md {
        return Ok(Vec::new());
    }
    if args.local {
        let file = std::env::current_dir()?.join(AGENTS_MD);
        let wanted = args.agents_md || file.try_exists()?;
        return Ok(if wanted { vec![("any".to_owned(), file)] } else { Vec::new() });
    }
    let set = |name: &str| environment.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let config = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")));
    let there = CONFIGURED_AGENTS.into_iter().filter_map(|name| Some((name, config.as_ref()?.join(name))));
    let there: Vec<_> = there.filter(|(_, directory)| directory.is_dir()).collect();
    if there.is_empty() && args.agents_md && !args.remove {
        return Err(no_reader());
    }
    Ok(there.into_iter().map(|(name, directory)| (name.to_owned(), directory.join(AGENTS_MD))).collect())
}

/// Nobody is there who would read the block that was asked for.
fn no_reader() -> CommandError {
    let agents = CONFIGURED_AGENTS.join(", ");
    let message = format!("no agent that reads one {AGENTS_MD} for all directories is there ({agents})");
    CommandError::new(ErrorCode::AgentNotFound, message)
        .with_hint("adj install-skill --local --agents-md  # in that of the current directory")
}

fn check(context: &mut Context, found: &[(Copy, State)]) -> Outcome {
    let told = found.iter().map(|(copy, state)| told(copy, state.as_str()));
    tell(context, &told.collect::<Vec<_>>(), |one| format!("{}: {} → {}", one.state, one.skill, one.file.display()))?;
    let is_old = |state: &State| matches!(state, State::Stale | State::Modified);
    Ok(u8::from(found.iter().any(|(_, state)| is_old(state))))
}

fn install(context: &mut Context, found: &[(Copy, State)], force: bool) -> Outcome {
    refuse_modified(found, force)?;
    for (copy, _) in found.iter().filter(|(_, state)| *state != State::Current) {
        copy.install()?;
    }
    let told =
        found.iter().map(|(copy, state)| told(copy, if *state == State::Current { "current" } else { "installed" }));
    tell(context, &told.collect::<Vec<_>>(), |one| format!("Installed skill: {} → {}", one.skill, one.file.display()))?;
    Ok(0)
}

fn remove(context: &mut Context, found: &[(Copy, State)], force: bool) -> Outcome {
    refuse_modified(found, force)?;
    let there: Vec<&(Copy, State)> = found.iter().filter(|(_, state)| *state != State::Missing).collect();
    there.iter().try_for_each(|(copy, _)| copy.remove())?;
    let told: Vec<_> = there.iter().map(|(copy, _)| told(copy, "removed")).collect();
    if told.is_empty() && !context.ui.json {
        context.ui.line("No skill is installed there")?;
        return Ok(0);
    }
    tell(context, &told, |one| format!("Removed skill: {} → {}", one.skill, one.file.display()))?;
    Ok(0)
}

/// Before anything is written: what somebody changed is theirs.
fn refuse_modified(found: &[(Copy, State)], force: bool) -> Result<(), CommandError> {
    let modified: Vec<String> = found
        .iter()
        .filter(|(_, state)| *state == State::Modified)
        .map(|(copy, _)| copy.file.display().to_string())
        .collect();
    if force || modified.is_empty() {
        return Ok(());
    }
    let message = format!("changed by hand, so nothing was written: {}", modified.join(", "));
    Err(CommandError::new(ErrorCode::SkillModified, message).with_hint("adj install-skill --force"))
}

fn told<'a>(copy: &'a Copy, state: &'static str) -> Told<'a> {
    Told { skill: copy.name, agent: &copy.reader, file: &copy.file, state }
}

fn tell(context: &mut Context, all: &[Told<'_>], words: impl Fn(&Told<'_>) -> String) -> Result<(), CommandError> {
    if context.ui.json {
        return context.ui.document(&all);
    }
    if context.ui.quiet {
        return Ok(());
    }
    all.iter().try_for_each(|one| context.ui.line(&words(one)))
}
