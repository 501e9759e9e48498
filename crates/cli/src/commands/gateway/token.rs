//! `adj gateway token`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use adjutant_api::ErrorCode;
use adjutant_api::types::gateway::{CreateToken, Token};
use adjutant_api::types::session::ModeWord;
use adjutant_client::Client;

use super::container;
use crate::commands::Outcome;
use crate::commands::create::mode;
use crate::context::Context;
use crate::duration::Span;
use crate::error::CommandError;
use crate::table::{self, Column};
use crate::ui::Ui;
use crate::{house, variables, way};

/// What is done with tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Deed {
    /// Make one; its text is printed this once
    Create,
    /// List them; their texts are not kept
    List,
    /// Revoke some, by their ids or labels; what they have open ends
    Revoke,
}

#[derive(clap::Args, Clone, Debug)]
pub(super) struct TokenArgs {
    /// What to do
    #[arg(value_enum)]
    deed: Deed,

    /// With `revoke`: ids or labels
    #[arg(value_name = "token")]
    tokens: Vec<String>,

    /// What it is for
    #[arg(long, value_name = "text")]
    label: Option<String>,

    /// A directory in which it may create sessions, and below; repeatable. The current one unless given
    #[arg(long, value_name = "dir")]
    root: Vec<PathBuf>,

    /// A mode in which it may create sessions: guarded, docker, native; repeatable. `native` lets its owner do on this machine
    /// whatever you can [default: guarded, docker]
    #[arg(long, value_name = "mode")]
    mode: Vec<String>,

    /// Sessions of it that may live at once [default: 20]
    #[arg(long, value_name = "n")]
    sessions: Option<u64>,

    /// When it ends, from now; never unless given
    #[arg(long, value_name = "duration")]
    expires: Option<Span>,

    /// A variable of yours that its sessions get beside PATH, HOME and their like; repeatable. Its value is kept with the token
    #[arg(long, value_name = "name")]
    pass: Vec<String>,
}

pub(super) async fn run(context: &mut Context, args: &TokenArgs) -> Outcome {
    if args.deed != Deed::Create && args.has_options() {
        return Err(CommandError::usage("`--label` and the like are for `token create`"));
    }
    if args.deed != Deed::Revoke && !args.tokens.is_empty() {
        return Err(CommandError::usage("only `token revoke` takes ids or labels"));
    }
    match args.deed {
        Deed::Create => create(context, args).await,
        Deed::List => list(context).await,
        Deed::Revoke if args.tokens.is_empty() => Err(CommandError::usage("`token revoke` needs ids or labels")),
        Deed::Revoke => revoke(context, &args.tokens).await,
    }
}

impl TokenArgs {
    fn has_options(&self) -> bool {
        let lists = self.root.is_empty() && self.mode.is_empty() && self.pass.is_empty();
        !lists || self.label.is_some() || self.sessions.is_some() || self.expires.is_some()
    }

    async fn wanted(&self, context: &mut Context) -> Result<CreateToken, CommandError> {
        let mut roots = Vec::new();
        for root in &self.root {
            roots.push(way::directory(context, Some(root)).await?);
        }
        if roots.is_empty() {
            roots.push(way::directory(context, None).await?);
        }
        let modes = self.mode.iter().flat_map(|words| words.split(',')).map(mode_of).collect::<Result<_, _>>()?;
        Ok(CreateToken {
            label: self.label.clone(),
            roots,
            modes,
            sessions_max: self.sessions,
            expires_ms: self.expires.map(Span::millis),
            environment: environment(&self.pass)?,
        })
    }
}

fn mode_of(word: &str) -> Result<ModeWord, CommandError> {
    mode(word).ok_or_else(|| CommandError::usage(format!("`--mode {word}` is none of native, guarded, docker")))
}

/// The variables of the token's sessions: what any program needs, where agents keep their things, and what was named.
fn environment(named: &[String]) -> Result<BTreeMap<String, String>, CommandError> {
    let all = variables::all().into_iter();
    let texts: BTreeMap<String, String> =
        all.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect();
    if let Some(missing) = named.iter().find(|name| !texts.contains_key(*name)) {
        return Err(CommandError::new(ErrorCode::EnvInvalid, format!("`--pass {missing}`: no such variable is set")));
    }
    let kept = |name: &String| named.contains(name) || house::is_plain_variable(name);
    Ok(texts.into_iter().filter(|(name, _)| kept(name)).collect())
}

async fn create(context: &mut Context, args: &TokenArgs) -> Outcome {
    let wanted = args.wanted(context).await?;
    let (ui, client) = context.parts()?;
    let created = client.create_token(&wanted).await?;
    if ui.json {
        ui.document(&created)?;
        return Ok(0);
    }
    ui.line(&created.secret)?;
    if !ui.quiet {
        let Token { id, roots, modes, sessions_max, .. } = &created.token;
        let (shown, modes) = (roots.join(", "), words(modes));
        ui.note(&format!("{id}: {modes} sessions in {shown}, {sessions_max} at once. It is not shown again."));
        how_to_use(ui, roots).await;
    }
    Ok(0)
}

/// How a container comes to use the token. What cannot be found out is left out.
async fn how_to_use(ui: &Ui, roots: &[String]) {
    let gateway = async { adjutant_client::gateway_status(&Context::home().ok()?).await.ok()? };
    let adj = std::env::current_exe().ok().and_then(|path| path.into_os_string().into_string().ok());
    let (Some(root), Some(adj)) = (roots.first(), adj) else { return };
    match container::command(&adj, root, gateway.await.as_ref()) {
        Some(command) => ui.note(&format!("with it as ADJ_GATEWAY_TOKEN in the environment of: {command}")),
        None => ui.hint("mkdir -p ~/gate && adj gateway run --socket ~/gate/adj.sock"),
    }
}

fn words(modes: &[ModeWord]) -> String {
    modes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

async fn list(context: &mut Context) -> Outcome {
    let (ui, client) = context.parts()?;
    let tokens = client.tokens().await?;
    if ui.json {
        ui.document(&tokens)?;
    } else if ui.quiet {
        tokens.iter().try_for_each(|token| ui.line(&token.id))?;
    } else if tokens.is_empty() {
        ui.line("No tokens")?;
    } else {
        print(ui, &tokens)?;
    }
    Ok(0)
}

fn print(ui: &mut Ui, tokens: &[Token]) -> Result<(), CommandError> {
    let columns = [
        Column::Left("ID"),
        Column::Left("LABEL"),
        Column::Left("MODES"),
        Column::Right("LIVE"),
        Column::Left("EXPIRES"),
        Column::Free("ROOTS"),
    ];
    let row = |token: &Token| {
        let expires = match (&token.expires_at, token.expired) {
            (_, true) => "expired".to_owned(),
            (Some(at), false) => at.to_string(),
            (None, false) => "never".to_owned(),
        };
        let live = format!("{}/{}", token.sessions_live, token.sessions_max);
        let label = token.label.clone().unwrap_or_default();
        vec![token.id.clone(), label, words(&token.modes), live, expires, token.roots.join(", ")]
    };
    let rows: Vec<Vec<String>> = tokens.iter().map(row).collect();
    ui.text(&table::set(&columns, &rows, table::terminal_width()))
}

async fn revoke(context: &mut Context, wanted: &[String]) -> Outcome {
    let (ui, client) = context.parts()?;
    let mut ids = Vec::new();
    for text in wanted {
        ids.push(find(client, text).await?);
    }
    let mut revoked = Vec::new();
    for id in &ids {
        revoked.push(client.revoke_token(id).await?);
    }
    if ui.json {
        ui.document(&revoked)?;
        return Ok(0);
    }
    for token in &revoked {
        let label = token.label.as_ref().map_or(String::new(), |label| format!(" ({label})"));
        ui.line(&if ui.quiet { token.id.clone() } else { format!("Revoked token {}{label}", token.id) })?;
    }
    Ok(0)
}

/// The id of a token; a label stands for the one token that has it.
async fn find(client: &mut Client, text: &str) -> Result<String, CommandError> {
    let tokens = client.tokens().await?;
    if let Some(token) = tokens.iter().find(|token| token.id == text) {
        return Ok(token.id.clone());
    }
    let of_label: Vec<&Token> = tokens.iter().filter(|token| token.label.as_deref() == Some(text)).collect();
    match of_label.as_slice() {
        [one] => Ok(one.id.clone()),
        [] => Err(CommandError::new(ErrorCode::TokenNotFound, format!("no token `{text}`"))
            .with_hint("adj gateway token list")),
        several => {
            let ids: Vec<&str> = several.iter().map(|token| token.id.as_str()).collect();
            Err(CommandError::usage(format!("several tokens are called `{text}`: {}", ids.join(", "))))
        }
    }
}
