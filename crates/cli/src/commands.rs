//! The verbs, one file each.

pub(crate) mod ask;
pub(crate) mod attach;
pub(crate) mod completions;
pub(crate) mod create;
pub(crate) mod daemon;
pub(crate) mod dev;
pub(crate) mod dial_stdio;
pub(crate) mod doctor;
pub(crate) mod exec;
pub(crate) mod export;
pub(crate) mod gateway;
pub(crate) mod goal;
pub(crate) mod hook;
pub(crate) mod import;
pub(crate) mod inspect;
pub(crate) mod install_skill;
pub(crate) mod interrupt;
pub(crate) mod introduce;
pub(crate) mod kill;
pub(crate) mod last_message;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod mcp;
pub(crate) mod project;
pub(crate) mod queue;
pub(crate) mod requests;
pub(crate) mod respond;
pub(crate) mod restart;
pub(crate) mod resume;
pub(crate) mod run;
pub(crate) mod runner;
pub(crate) mod send;
pub(crate) mod sessions;
pub(crate) mod status;
pub(crate) mod wait;
pub(crate) mod wake;
pub(crate) mod watch;
pub(crate) mod whoami;
pub(crate) mod workspace;

use std::ffi::OsString;

use clap::{ArgMatches, Args, Command, FromArgMatches};

use crate::context::Context;
use crate::error::CommandError;
use crate::runtime;

/// The exit code of a command, or why it has no result.
pub(crate) type Outcome = Result<u8, CommandError>;

/// What a verb is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// Giving work and getting its result.
    Work,
    /// Seeing what is the case.
    See,
    /// Answering, stopping, ending.
    Control,
    /// The house itself.
    House,
    /// For programs.
    Hidden,
}

impl Group {
    /// The groups that help shows, in order.
    pub(crate) const ALL: [Self; 4] = [Self::Work, Self::See, Self::Control, Self::House];

    /// The heading above its verbs.
    pub(crate) const fn heading(self) -> &'static str {
        match self {
            Self::Work => "Give work, get its result",
            Self::See => "See what is the case",
            Self::Control => "Answer, stop, end",
            Self::House => "Daemon and installation",
            Self::Hidden => "For programs",
        }
    }
}

/// One verb.
pub(crate) struct Verb {
    /// Its word.
    pub(crate) name: &'static str,
    /// What it is for.
    pub(crate) group: Group,
    /// Puts its options and arguments into a command.
    pub(crate) augment: fn(Command) -> Command,
    /// Runs it.
    pub(crate) run: fn(&mut Context, &ArgMatches) -> Outcome,
    /// Runs it on the tokens as they are: a program calls it.
    pub(crate) raw: Option<fn(Vec<OsString>) -> Outcome>,
}

fn arguments<T: FromArgMatches>(matches: &ArgMatches) -> Result<T, CommandError> {
    T::from_arg_matches(matches).map_err(|error| crate::parse::explained(&error, "adj"))
}

macro_rules! verbs {
    ($($name:literal $group:ident $module:ident::$args:ident $kind:ident $run:ident;)+) => {
        /// All verbs, in the order of their help.
        pub(crate) static VERBS: &[Verb] = &[$(Verb {
            name: $name,
            group: Group::$group,
            augment: <$module::$args as Args>::augment_args,
            run: |context, matches| {
                let args: $module::$args = arguments(matches)?;
                verbs!(@ $kind $module::$run(context, &args))
            },
            raw: None,
        }),+, runner::VERB, exec::VERB, hook::VERB];
    };
    (@ calls $call:expr) => { runtime::interruptible($call) };
    (@ deals $call:expr) => { runtime::uninterrupted($call) };
    (@ plain $call:expr) => { $call };
}

verbs! {
    "run" Work run::RunArgs deals run_run;
    "create" Work create::CreateArgs calls run_create;
    "ask" Work ask::AskArgs calls run_ask;
    "send" Work send::SendArgs calls run_send;
    "wait" Work wait::WaitArgs calls run_wait;
    "wake" Work wake::WakeArgs calls run_wake;
    "resume" Work resume::ResumeArgs calls run_resume;
    "queue" Work queue::QueueArgs calls run_queue;
    "status" See status::StatusArgs calls run_status;
    "list" See list::ListArgs calls run_list;
    "watch" See watch::WatchArgs calls run_watch;
    "last-message" See last_message::LastMessageArgs calls run_last_message;
    "logs" See logs::LogsArgs calls run_logs;
    "inspect" See inspect::InspectArgs calls run_inspect;
    "export" See export::ExportArgs calls run_export;
    "attach" See attach::AttachArgs deals run_attach;
    "requests" Control requests::RequestsArgs calls run_requests;
    "respond" Control respond::RespondArgs calls run_respond;
    "goal" Control goal::GoalArgs calls run_goal;
    "interrupt" Control interrupt::InterruptArgs calls run_interrupt;
    "introduce" Control introduce::IntroduceArgs calls run_introduce;
    "restart" Control restart::RestartArgs calls run_restart;
    "kill" Control kill::KillArgs calls run_kill;
    "sessions" Control sessions::SessionsArgs calls run_sessions;
    "project" House project::ProjectArgs calls run_project;
    "workspace" House workspace::WorkspaceArgs calls run_workspace;
    "daemon" House daemon::DaemonArgs plain run_daemon;
    "gateway" House gateway::GatewayArgs plain run_gateway;
    "doctor" House doctor::DoctorArgs calls run_doctor;
    "import" House import::ImportArgs calls run_import;
    "mcp" House mcp::McpArgs calls run_mcp;
    "install-skill" House install_skill::InstallSkillArgs plain run_install_skill;
    "whoami" House whoami::WhoamiArgs calls run_whoami;
    "completions" House completions::CompletionsArgs plain run_completions;
    "dial-stdio" Hidden dial_stdio::DialStdioArgs plain run_dial_stdio;
    "dev" Hidden dev::DevArgs plain run_dev;
}

/// Finds a verb by its word.
pub(crate) fn find(word: &str) -> Option<&'static Verb> {
    VERBS.iter().find(|verb| verb.name == word)
}

/// The words of the verbs that people call.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    VERBS.iter().filter(|verb| verb.group != Group::Hidden).map(|verb| verb.name)
}

/// The whole tree, for what is made from all of it: completions and pages.
pub(crate) fn tree() -> Command {
    let root = crate::globals::Globals::command()
        .about("Spawn, message, wait on, watch, wake, answer and stop coding-agent sessions")
        .version(adjutant_api::protocol::VERSION);
    let visible = VERBS.iter().filter(|verb| verb.group != Group::Hidden);
    visible.fold(root, |root, verb| root.subcommand((verb.augment)(Command::new(verb.name))))
}
