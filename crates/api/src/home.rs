//! Where a host's files are: a pure function of a few variables.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::error::ErrorBody;
use crate::error_code::ErrorCode;

/// What a Unix socket's path may have, in bytes; the system's limit without the NUL at its end.
pub const SOCKET_PATH_BYTES_MAX: usize = 107;

/// What is kept free in the run directory for the paths of the sessions' own sockets, in bytes: each is `r.sock` in a
/// directory of `s` that has the session's id for its name, without its hyphens.
pub const SESSION_SOCKET_BYTES: usize = "/s/".len() + 32 + "/r.sock".len();

/// The places of one host. Nothing is created by naming them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// Store, logs, journals.
    pub state: PathBuf,
    /// Sockets and locks; short, and gone after a reboot where the system has such a place.
    pub run: PathBuf,
    /// The configuration file.
    pub config: PathBuf,
    /// Where the daemon listens.
    pub socket: PathBuf,
    /// A directory that must exist already; nobody's home is created by a tool.
    pub anchor: Option<PathBuf>,
}

/// The variables that decide, as the environment has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HomeVariables {
    /// `ADJ_HOME`: everything below one directory.
    pub adj_home: Option<OsString>,
    /// `ADJ_SOCKET`: another socket than the home's own.
    pub adj_socket: Option<OsString>,
    /// `HOME`.
    pub home: Option<OsString>,
    /// `XDG_STATE_HOME`.
    pub xdg_state_home: Option<OsString>,
    /// `XDG_CONFIG_HOME`.
    pub xdg_config_home: Option<OsString>,
    /// `XDG_RUNTIME_DIR`.
    pub xdg_runtime_dir: Option<OsString>,
}

/// Why there is no home.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HomeError {
    /// Neither `ADJ_HOME` nor what XDG needs is set.
    #[error("there is no place to keep state in: HOME is not set")]
    HomeMissing,
    /// A variable of ours holds a relative path.
    #[error("{variable} must be an absolute path, but it is `{value}`")]
    NotAbsolute {
        /// Which variable.
        variable: &'static str,
        /// What it holds.
        value: String,
    },
    /// The system cannot bind a socket there.
    #[error(
        "{path} is too long for sockets: the longest path of one there has {bytes} bytes, and the system allows {max}",
        max = SOCKET_PATH_BYTES_MAX
    )]
    SocketPathTooLong {
        /// The socket, or the directory of the sessions' sockets.
        path: String,
        /// The length of the longest socket's path there.
        bytes: usize,
    },
}

impl Home {
    /// Finds the places. `ADJ_HOME` holds everything; else XDG's directories do, and where `XDG_RUNTIME_DIR` is not set,
    /// the run directory is `run` in the state directory: it is the user's own, no cleaner empties it, and no other user can
    /// have made it first, as in `/tmp`. In `XDG_RUNTIME_DIR` each state directory has a run directory of its own: the user
    /// of a machine has one of the former, and with another `HOME` another one of the latter.
    ///
    /// # Errors
    /// [`HomeError`], each with the variable or path that is wrong.
    pub fn resolve(variables: &HomeVariables) -> Result<Self, HomeError> {
        let mut home = match absolute("ADJ_HOME", &variables.adj_home)? {
            Some(root) => Self::below(&root),
            None => Self::of_xdg(variables)?,
        };
        if let Some(socket) = absolute("ADJ_SOCKET", &variables.adj_socket)? {
            home.socket = socket;
        }
        check_length(&home.socket, home.socket.as_os_str().len())?;
        check_length(&home.run, home.run.as_os_str().len() + SESSION_SOCKET_BYTES)?;
        Ok(home)
    }

    /// The home that lies in one directory.
    pub fn below(root: &Path) -> Self {
        Self::of(root.to_owned(), root.join("run"), root.join("config.toml"), None)
    }

    fn of_xdg(variables: &HomeVariables) -> Result<Self, HomeError> {
        let home = set(&variables.home).filter(|path| path.is_absolute());
        let base = |variable: &Option<OsString>, below_home: &str| {
            let given = set(variable).filter(|path| path.is_absolute());
            given.or_else(|| home.as_ref().map(|home| home.join(below_home))).ok_or(HomeError::HomeMissing)
        };
        let state = base(&variables.xdg_state_home, ".local/state")?.join("adjutant");
        let config = base(&variables.xdg_config_home, ".config")?.join("adjutant/config.toml");
        let runtime = set(&variables.xdg_runtime_dir).filter(|path| path.is_absolute());
        let run = runtime.map_or_else(|| state.join("run"), |runtime| runtime.join("adjutant").join(mark(&state)));
        let given = set(&variables.xdg_state_home).is_some_and(|path| path.is_absolute());
        let anchor = if given { None } else { home };
        Ok(Self::of(state, run, config, anchor))
    }

    fn of(state: PathBuf, run: PathBuf, config: PathBuf, anchor: Option<PathBuf>) -> Self {
        let socket = run.join("adj.sock");
        Self { state, run, config, socket, anchor }
    }

    /// The variables by which another process finds this home, whatever else its environment says: what a session gets, so
    /// that the `adj` in it speaks to the daemon that holds it.
    pub fn variables(&self) -> Vec<(&'static str, PathBuf)> {
        let mut variables = vec![("ADJ_SOCKET", self.socket.clone())];
        let below = Self { socket: self.socket.clone(), ..Self::below(&self.state) };
        if *self == below {
            variables.push(("ADJ_HOME", self.state.clone()));
        }
        variables
    }

    /// The lock under which one caller starts the daemon.
    pub fn start_lock(&self) -> PathBuf {
        self.run.join("start.lock")
    }

    /// The lock that a daemon holds for as long as it lives.
    pub fn daemon_lock(&self) -> PathBuf {
        self.state.join("daemon.lock")
    }

    /// The log of the daemon.
    pub fn daemon_log(&self) -> PathBuf {
        self.state.join("daemon.log")
    }

    /// A short word that stands for this home, and for no other.
    pub fn mark(&self) -> String {
        mark(&self.state)
    }

    /// The log of the gateway.
    pub fn gateway_log(&self) -> PathBuf {
        self.state.join("gateway.log")
    }

    /// Where a running gateway says how it is.
    pub fn gateway_socket(&self) -> PathBuf {
        self.run.join("gw.sock")
    }

    /// The file that names the socket of the running daemon.
    pub fn socket_pointer(&self) -> PathBuf {
        self.state.join(crate::protocol::SOCKET_POINTER_FILE)
    }
}

/// What tells the run directory of one state directory from that of another: 32 bits of its path's FNV-1a hash.
fn mark(state: &Path) -> String {
    let step = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    format!("{:08x}", state.as_os_str().as_encoded_bytes().iter().fold(0x811c_9dc5, step))
}

/// An empty variable counts as one that is not set.
fn set(variable: &Option<OsString>) -> Option<PathBuf> {
    variable.as_ref().filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn absolute(variable: &'static str, value: &Option<OsString>) -> Result<Option<PathBuf>, HomeError> {
    match set(value) {
        Some(path) if !path.is_absolute() => {
            Err(HomeError::NotAbsolute { variable, value: path.to_string_lossy().into_owned() })
        }
        path => Ok(path),
    }
}

/// `bytes` is the length of the longest socket's path at this place.
fn check_length(path: &Path, bytes: usize) -> Result<(), HomeError> {
    if bytes <= SOCKET_PATH_BYTES_MAX {
        return Ok(());
    }
    Err(HomeError::SocketPathTooLong { path: path.to_string_lossy().into_owned(), bytes })
}

impl From<HomeError> for ErrorBody {
    fn from(error: HomeError) -> Self {
        let code = match &error {
            HomeError::HomeMissing => ErrorCode::HomeMissing,
            HomeError::NotAbsolute { .. } => ErrorCode::EnvInvalid,
            HomeError::SocketPathTooLong { .. } => ErrorCode::SocketPathTooLong,
        };
        let hint = match &error {
            HomeError::HomeMissing => Some("export ADJ_HOME=/some/directory"),
            HomeError::NotAbsolute { .. } => None,
            HomeError::SocketPathTooLong { .. } => Some("export ADJ_HOME=/a/shorter/directory"),
        };
        let body = Self::new(code, error.to_string());
        hint.map_or(body.clone(), |hint| body.with_hint(hint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> HomeVariables {
        let get = |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v));
        HomeVariables {
            adj_home: get("ADJ_HOME"),
            adj_socket: get("ADJ_SOCKET"),
            home: get("HOME"),
            xdg_state_home: get("XDG_STATE_HOME"),
            xdg_config_home: get("XDG_CONFIG_HOME"),
            xdg_runtime_dir: get("XDG_RUNTIME_DIR"),
        }
    }

    fn resolved(pairs: &[(&str, &str)]) -> [String; 4] {
        let home = Home::resolve(&variables(pairs)).unwrap();
        [home.state, home.run, home.config, home.socket].map(|path| path.to_string_lossy().into_owned())
    }

    #[test]
    fn adj_home_holds_everything() {
        let places = resolved(&[("ADJ_HOME", "/x"), ("XDG_RUNTIME_DIR", "/run/user/1"), ("HOME", "/h")]);
        assert_eq!(places, ["/x", "/x/run", "/x/config.toml", "/x/run/adj.sock"]);
    }

    #[test]
    fn xdg_is_followed() {
        let places = resolved(&[("HOME", "/h"), ("XDG_RUNTIME_DIR", "/run/user/1")]);
        let expected = ["/h/.local/state/adjutant", "/run/user/1/adjutant/f0d97df8", "/h/.config/adjutant/config.toml"];
        assert_eq!(places[..3], expected);
        assert_eq!(places[3], "/run/user/1/adjutant/f0d97df8/adj.sock");
    }

    #[test]
    fn two_state_directories_never_share_a_socket() {
        let runtime = ("XDG_RUNTIME_DIR", "/run/user/1");
        let [one, other, third] = [("HOME", "/h"), ("HOME", "/g"), ("XDG_STATE_HOME", "/h/.state")]
            .map(|state| resolved(&[state, ("XDG_CONFIG_HOME", "/c"), runtime])[3].clone());
        assert!(one != other && one != third && other != third, "{one} {other} {third}");
    }

    #[test]
    fn without_a_runtime_directory_the_state_directory_serves() {
        let places = resolved(&[("XDG_STATE_HOME", "/s"), ("XDG_CONFIG_HOME", "/c"), ("XDG_RUNTIME_DIR", "")]);
        assert_eq!(places[..2], ["/s/adjutant", "/s/adjutant/run"]);
    }

    #[test]
    fn relative_xdg_directories_are_ignored_as_xdg_demands() {
        let places = resolved(&[("HOME", "/h"), ("XDG_STATE_HOME", "s"), ("XDG_RUNTIME_DIR", "r")]);
        assert_eq!(places[..2], ["/h/.local/state/adjutant", "/h/.local/state/adjutant/run"]);
    }

    #[test]
    fn a_socket_of_its_own_wins() {
        assert_eq!(resolved(&[("HOME", "/h"), ("ADJ_SOCKET", "/t/s")])[3], "/t/s");
    }

    #[test]
    fn another_process_finds_the_same_home() {
        for given in [
            [("ADJ_HOME", "/x"), ("ADJ_SOCKET", "")],
            [("ADJ_HOME", "/x"), ("ADJ_SOCKET", "/t/s")],
            [("HOME", "/h"), ("ADJ_SOCKET", "")],
            [("HOME", "/h"), ("XDG_RUNTIME_DIR", "/run/user/1")],
        ] {
            let home = Home::resolve(&variables(&given)).unwrap();
            let told = home.variables();
            let told: Vec<(&str, &str)> = told.iter().map(|(n, p)| (*n, p.to_str().unwrap())).collect();
            let found = Home::resolve(&variables(&[&told[..], &[("HOME", "/h")]].concat())).unwrap();
            assert_eq!(found.socket, home.socket);
            if given[0].0 == "ADJ_HOME" {
                assert_eq!(found, home);
            }
        }
    }

    #[test]
    fn what_is_wrong_has_a_code() {
        let code = |pairs: &[(&str, &str)]| ErrorBody::from(Home::resolve(&variables(pairs)).unwrap_err()).code;
        assert_eq!(code(&[]), ErrorCode::HomeMissing);
        assert_eq!(code(&[("HOME", "")]), ErrorCode::HomeMissing);
        assert_eq!(code(&[("ADJ_HOME", "x")]), ErrorCode::EnvInvalid);
        let long = format!("/{}", "x".repeat(120));
        assert_eq!(code(&[("ADJ_HOME", &long)]), ErrorCode::SocketPathTooLong);
        assert_eq!(code(&[("HOME", "/h"), ("ADJ_SOCKET", &long)]), ErrorCode::SocketPathTooLong);
    }

    #[test]
    fn the_sockets_of_sessions_fit_too() {
        let longest = |home: usize| format!("/{}/run/s/{}/r.sock", "x".repeat(home - 1), "0".repeat(32)).len();
        let fits =
            |home: usize| Home::resolve(&variables(&[("ADJ_HOME", &format!("/{}", "x".repeat(home - 1)))])).is_ok();
        let last = (2..107).rev().find(|home| fits(*home)).unwrap();
        assert_eq!(longest(last), SOCKET_PATH_BYTES_MAX);
    }
}
