//! Inside of a container: which gateway speaks for the host, with which token, and what the host calls our paths.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use adjutant_api::{ErrorBody, ErrorCode};
use adjutant_client::{Gateway, GatewayUrl};

use crate::config::Config;
use crate::error::CommandError;
use crate::translate::{self, Mapping, PathMap};

/// The variables of a container, as its environment has them; an empty one counts as one that is not set.
#[derive(Clone, Debug, Default)]
pub(crate) struct SandboxVariables {
    pub(crate) sandbox: Option<Variable>,
    pub(crate) url: Option<Variable>,
    pub(crate) port: Option<Variable>,
    pub(crate) host_path: Option<Variable>,
    pub(crate) workspace: Option<Variable>,
    pub(crate) path_map: Option<Variable>,
    pub(crate) token: Option<Variable>,
    pub(crate) token_file: Option<Variable>,
}

/// A variable and the name under which it was found.
#[derive(Clone, Debug)]
pub(crate) struct Variable {
    pub(crate) name: &'static str,
    pub(crate) value: OsString,
}

impl Variable {
    /// Its value as text.
    fn text(&self) -> Result<&str, CommandError> {
        self.value.to_str().ok_or_else(|| self.wrong("is no text"))
    }

    fn wrong(&self, why: &str) -> CommandError {
        let shown = self.value.to_string_lossy();
        CommandError::new(ErrorCode::EnvInvalid, format!("`{}={}` {why}", self.name, shown.escape_debug()))
    }
}

/// What a container knows of its host.
#[derive(Clone, Debug)]
pub(crate) struct Sandbox {
    pub(crate) gateway: Gateway,
    pub(crate) map: PathMap,
    pub(crate) token: Option<String>,
}

/// Where the workspace is mounted unless somebody says otherwise.
const WORKSPACE: &str = "/workspace";

/// Longest file of a token, in bytes.
const TOKEN_BYTES_MAX: u64 = 4096;

/// Whether this is a container.
pub(crate) fn is_wanted(variable: Option<&Variable>) -> Result<bool, CommandError> {
    let Some(variable) = variable else { return Ok(false) };
    match variable.text()?.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" => Ok(true),
        "0" | "false" | "no" | "" => Ok(false),
        _ => Err(variable.wrong("is none of 1, true, yes, 0, false, no")),
    }
}

impl Sandbox {
    /// Reads what the variables say; `None` outside of a container.
    pub(crate) fn find(
        variables: &SandboxVariables,
        config: impl FnOnce() -> Result<Config, CommandError>,
    ) -> Result<Option<Self>, CommandError> {
        if !is_wanted(variables.sandbox.as_ref())? {
            return Ok(None);
        }
        Ok(Some(Self { gateway: gateway(variables)?, map: map(variables, &config()?)?, token: token(variables)? }))
    }

    /// The host's name of a path of this container that is absolute and resolved.
    pub(crate) fn to_host(&self, resolved: &Path) -> Result<PathBuf, CommandError> {
        self.map.to_host(resolved).ok_or_else(|| self.not_translatable(resolved))
    }

    fn not_translatable(&self, path: &Path) -> CommandError {
        let tried =
            if self.map.0.is_empty() { "nothing is mapped".to_owned() } else { format!("tried {}", self.map.words()) };
        let message = format!(
            "{} has no name on the host ({tried}); set `ADJ_HOST_PATH` to the host's directory behind the workspace, or \
             `ADJ_PATH_MAP` to container=host",
            path.display()
        );
        let body = ErrorBody::new(ErrorCode::PathNotTranslatable, message);
        let tried: Vec<String> = self.map.0.iter().map(|one| one.container.display().to_string()).collect();
        body.with_detail("path", path.display().to_string()).with_detail("tried", tried).into()
    }
}

fn gateway(variables: &SandboxVariables) -> Result<Gateway, CommandError> {
    let port = variables.port.as_ref().map(port).transpose()?;
    let Some(url) = &variables.url else {
        let variable = variables.port.as_ref().map_or("ADJ_GATEWAY_URL", |port| port.name);
        return Ok(Gateway { url: GatewayUrl::usual(port), variable });
    };
    let read = GatewayUrl::read(url.text()?, port).map_err(|why| url.wrong(&why))?;
    Ok(Gateway { url: read, variable: url.name })
}

fn port(variable: &Variable) -> Result<u16, CommandError> {
    let number = variable.text()?.parse::<u16>().ok().filter(|port| *port > 0);
    number.ok_or_else(|| variable.wrong("is no port number"))
}

/// What the variables map, and after them the configuration; of two with one container side the first wins.
fn map(variables: &SandboxVariables, config: &Config) -> Result<PathMap, CommandError> {
    let mut all: Vec<Mapping> = Vec::new();
    let workspace = variables.workspace.as_ref();
    let container = workspace.map_or(Path::new(WORKSPACE), |variable| Path::new(&variable.value));
    if let Some(variable) = workspace {
        translate::mapping(container, Path::new("/host"))
            .map_err(|_| variable.wrong("is no absolute path below `/`"))?;
    }
    if let Some(host) = &variables.host_path {
        let mapping = translate::mapping(container, Path::new(&host.value));
        all.push(mapping.map_err(|_| host.wrong("is no absolute path"))?);
    }
    if let Some(pairs) = &variables.path_map {
        all.extend(translate::pairs(pairs.text()?).map_err(|why| pairs.wrong(&format!("cannot be read: {why}")))?);
    }
    let configured = config.sandbox.paths.iter();
    all.extend(configured.filter_map(|(container, host)| translate::mapping(container, host).ok()));
    let mut seen: Vec<PathBuf> = Vec::new();
    all.retain(|one| {
        !seen.contains(&one.container) && {
            seen.push(one.container.clone());
            true
        }
    });
    Ok(PathMap(all.into_iter().map(resolved).collect()))
}

/// A mount point that is a link stands for where it leads, since that is what a resolved path begins with.
fn resolved(mapping: Mapping) -> Mapping {
    let container = mapping.container.canonicalize().unwrap_or(mapping.container);
    Mapping { container, ..mapping }
}

fn token(variables: &SandboxVariables) -> Result<Option<String>, CommandError> {
    let secret = |name: &str| CommandError::new(ErrorCode::EnvInvalid, format!("`{name}` is no token"));
    if let Some(variable) = &variables.token {
        let text = variable.value.to_str().ok_or_else(|| secret(variable.name))?;
        return fit(text).map(Some).ok_or_else(|| secret(variable.name));
    }
    let Some(variable) = &variables.token_file else { return Ok(None) };
    let text =
        read_token(Path::new(&variable.value)).map_err(|error| variable.wrong(&format!("cannot be read: {error}")))?;
    fit(&text).map(Some).ok_or_else(|| variable.wrong("names a file that holds no token"))
}

fn read_token(path: &Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(path)?.take(TOKEN_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// A token fits into a header.
fn fit(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty() && text.chars().all(|c| c.is_ascii_graphic())).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &'static str, value: &str) -> Option<Variable> {
        Some(Variable { name, value: value.into() })
    }

    fn sandboxed() -> SandboxVariables {
        SandboxVariables { sandbox: variable("ADJ_SANDBOX", "1"), ..SandboxVariables::default() }
    }

    fn find(variables: &SandboxVariables) -> Result<Option<Sandbox>, String> {
        Sandbox::find(variables, || Ok(Config::default())).map_err(|error| match error {
            CommandError::Told(body) => format!("{} {}", body.exit, body.message),
            other @ (CommandError::ClosedPipe | CommandError::Interrupted) => format!("{other:?}"),
        })
    }

    #[test]
    fn f10_the_sandbox_variable_is_understood_or_refused() {
        for (value, expected) in
            [("1", true), ("true", true), ("YES", true), ("0", false), ("False", false), ("no", false)]
        {
            assert_eq!(is_wanted(variable("ADJ_SANDBOX", value).as_ref()).unwrap(), expected, "{value}");
        }
        assert!(!is_wanted(None).unwrap());
        let error = is_wanted(variable("DEV_SESSIONS_SANDBOX", "maybe").as_ref()).unwrap_err();
        assert!(
            matches!(error, CommandError::Told(body) if body.exit == 2 && body.message.contains("DEV_SESSIONS_SANDBOX=maybe"))
        );
    }

    #[test]
    fn the_gateway_is_where_the_variables_say() {
        let found = find(&sandboxed()).unwrap().unwrap();
        assert_eq!(found.gateway.url.to_string(), "http://host.docker.internal:6767");
        let port = SandboxVariables { port: variable("DEV_SESSIONS_GATEWAY_PORT", "7001"), ..sandboxed() };
        assert_eq!(find(&port).unwrap().unwrap().gateway.url.to_string(), "http://host.docker.internal:7001");
        let url = SandboxVariables { url: variable("ADJ_GATEWAY_URL", "unix:/run/g.sock"), ..port };
        assert_eq!(find(&url).unwrap().unwrap().gateway.url.to_string(), "unix:/run/g.sock");
        let https = SandboxVariables { url: variable("ADJ_GATEWAY_URL", "https://x"), ..sandboxed() };
        assert_eq!(find(&https).unwrap().unwrap().gateway.url.to_string(), "https://x:443");
    }

    #[test]
    fn f9_variables_of_the_sandbox_that_make_no_sense_are_errors() {
        let wrong = [
            SandboxVariables { port: variable("ADJ_GATEWAY_PORT", "abc"), ..sandboxed() },
            SandboxVariables { port: variable("ADJ_GATEWAY_PORT", "0"), ..sandboxed() },
            SandboxVariables { url: variable("ADJ_GATEWAY_URL", "ftp://x"), ..sandboxed() },
            SandboxVariables { host_path: variable("HOST_PATH", "rel/dir"), ..sandboxed() },
            SandboxVariables { workspace: variable("CONTAINER_WORKSPACE", "/"), ..sandboxed() },
            SandboxVariables { workspace: variable("CONTAINER_WORKSPACE", "rel"), ..sandboxed() },
            SandboxVariables { path_map: variable("ADJ_PATH_MAP", "/a"), ..sandboxed() },
            SandboxVariables { token: variable("ADJ_GATEWAY_TOKEN", "a b"), ..sandboxed() },
            SandboxVariables { token_file: variable("ADJ_GATEWAY_TOKEN_FILE", "/nowhere/token"), ..sandboxed() },
        ];
        for variables in wrong {
            assert!(find(&variables).unwrap_err().starts_with("2 "), "{variables:?}");
        }
    }

    #[test]
    fn a_token_is_in_no_error() {
        let variables = SandboxVariables { token: variable("ADJ_GATEWAY_TOKEN", "sec ret"), ..sandboxed() };
        assert!(!find(&variables).unwrap_err().contains("sec ret"));
    }

    #[test]
    fn a_refusal_says_what_was_tried_and_what_to_set() {
        let variables = SandboxVariables { host_path: variable("HOST_PATH", "/srv/proj"), ..sandboxed() };
        let found = find(&variables).unwrap().unwrap();
        assert_eq!(found.to_host(Path::new("/workspace/x")).unwrap(), Path::new("/srv/proj/x"));
        let Err(CommandError::Told(body)) = found.to_host(Path::new("/etc")) else { panic!() };
        assert_eq!(body.exit, 2);
        for part in ["/etc", "/workspace=/srv/proj", "ADJ_HOST_PATH", "ADJ_PATH_MAP"] {
            assert!(body.message.contains(part), "{part}: {}", body.message);
        }
    }
}
