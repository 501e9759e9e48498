//! Starting and ending: directories, lock, store, socket, in this order, each with its own clear error.

use std::fs::{OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adjutant_agents::process::{Inherited, raise_open_files};
use adjutant_api::home::Home;
use adjutant_api::protocol::{READY_LINE, VERSION};
use adjutant_api::{ErrorBody, ErrorCode};
use adjutant_core::{Host, HostConfig};
use adjutant_store::OpenError;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::DaemonOptions;
use crate::audit::Audit;
use crate::feed::Feed;
use crate::http::{self, App, Shared, Streams};
use crate::launch::{Launches, Places};
use crate::listen::{OwnerListener, private_directory};
use crate::lock::{HomeLock, LockError};
use crate::project::Projects;
use crate::read::Readers;
use crate::supervisor::{Parts, Supervisor};
use crate::testpoint;
use crate::tokens::{Stored, Tokens};
use crate::workspace::Workspaces;
use crate::{journal, notify, retention};

/// Worker threads of the runtime: handlers and drivers hardly compute.
const WORKER_THREADS: usize = 2;

/// Threads that may wait for the disk.
const BLOCKING_THREADS_MAX: usize = 8;

/// Time for connections to finish when the daemon ends.
const CONNECTIONS_END_MAX: Duration = Duration::from_secs(2);

pub(crate) fn run(options: &DaemonOptions) -> ExitCode {
    match serve(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let exit = ExitCode::from(error.exit);
            say(options.detached, &error);
            exit
        }
    }
}

/// Tells why the daemon does not run: to the command that waits for it, or to the person who started it.
fn say(detached: bool, error: &ErrorBody) {
    let line = error.to_json_line();
    let _ = if detached { writeln!(io::stdout(), "{line}") } else { writeln!(io::stderr(), "adj: {}", error.message) };
}

fn serve(options: &DaemonOptions) -> Result<(), ErrorBody> {
    let home = &options.home;
    make_directories(home)?;
    let lock = HomeLock::take(&home.state).map_err(|error| locked(&error))?;
    journal::begin(&home.daemon_log());
    let inherited = Inherited::own();
    if let Err(error) = raise_open_files() {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
    let (writer, loaded) = adjutant_store::open(&home.state, VERSION).map_err(|error| unopened(&error))?;
    let runtime = runtime()?;
    let agents = Arc::new(adjutant_agents::registry(&options.agents));
    let capabilities = agents.iter().map(|(name, agent)| (name.clone(), agent.capabilities().clone())).collect();
    let config = HostConfig { queue_messages_max: options.queue_max, ..HostConfig::new(capabilities) };
    let host = Host::restore(config.clone(), loaded.sessions, loaded.counters);
    let places = places(options, writer.host_id().to_string());
    let ending = watch::Sender::new(false);
    let unwritable = watch::Sender::new(None);
    let readers = Arc::new(Readers::new(home.state.clone()));
    let (feed, launches) = (Arc::new(Feed::new()), Arc::new(Launches::default()));
    let parts = Parts {
        config,
        agents: Arc::clone(&agents),
        writer,
        feed: Arc::clone(&feed),
        launches: Arc::clone(&launches),
        places: places.clone(),
        readers: Arc::clone(&readers),
        ending: ending.clone(),
        unwritable: unwritable.clone(),
    };
    let supervisor = Supervisor::new(parts, host, runtime.handle().clone());
    let app = Arc::new(Shared {
        supervisor: supervisor.handle(),
        readers,
        feed,
        launches,
        projects: Arc::new(Projects::new(&home.state)),
        tokens: Arc::new(Tokens::new(&home.state)),
        audit: Audit::new(&home.state),
        stored: Stored::default(),
        workspaces: Workspaces::new(&home.state, &places.host_id),
        places,
        agents,
        home: home.clone(),
        message_bytes_max: options.message_max_bytes,
        inherited,
        may_kill_any: options.sessions_may_kill_any,
        started: Instant::now(),
        streams: Streams::default(),
        ending,
        unwritable,
    });
    let loop_handle = runtime.handle().clone();
    let looping =
        std::thread::Builder::new().name("supervisor".to_owned()).spawn(move || loop_handle.block_on(supervisor.run()));
    let looping =
        looping.map_err(|error| ErrorBody::new(ErrorCode::Internal, format!("no thread can be started: {error}")))?;
    let served = runtime.block_on(listen(&app, options));
    if looping.join().is_err() {
        tracing::error!("the supervisor ended with a panic");
    }
    runtime.shutdown_timeout(Duration::from_millis(200));
    drop(lock);
    served
}

fn places(options: &DaemonOptions, host_id: String) -> Places {
    let home = &options.home;
    Places {
        state_dir: home.state.clone(),
        run_dir: home.run.clone(),
        adj: options.adj.clone(),
        host_id,
        home_variables: home_variables(home),
    }
}

fn make_directories(home: &Home) -> Result<(), ErrorBody> {
    for directory in [&home.state, &home.run] {
        let unusable =
            |e: io::Error| ErrorBody::new(ErrorCode::StateDirUnusable, format!("{}: {e}", directory.display()));
        private_directory(directory).map_err(unusable)?;
    }
    Ok(())
}

fn runtime() -> Result<tokio::runtime::Runtime, ErrorBody> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKER_THREADS)
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .enable_all()
        .build()
        .map_err(|error| ErrorBody::new(ErrorCode::Internal, format!("the runtime cannot be started: {error}")))
}

pub(crate) fn locked(error: &LockError) -> ErrorBody {
    match error {
        LockError::Held { .. } => {
            ErrorBody::new(ErrorCode::DaemonUnreachable, error.to_string()).with_hint("adj daemon status")
        }
        LockError::Io { .. } => ErrorBody::new(ErrorCode::StateDirUnusable, error.to_string()),
    }
}

fn unopened(error: &OpenError) -> ErrorBody {
    let code = match error {
        OpenError::Missing { .. } => ErrorCode::StoreMissing,
        OpenError::Unreadable { .. } => ErrorCode::StoreUnreadable,
        OpenError::Corrupt { .. } => ErrorCode::StoreCorrupt,
        OpenError::Newer { .. } => ErrorCode::StoreNewer,
        OpenError::DirectoryUnusable { .. } | OpenError::ForeignOwner { .. } | OpenError::OtherHost { .. } => {
            ErrorCode::StateDirUnusable
        }
    };
    ErrorBody::new(code, error.to_string())
}

/// Serves until a signal, a call or disuse ends the daemon.
async fn listen(app: &App, options: &DaemonOptions) -> Result<(), ErrorBody> {
    let socket = &options.home.socket;
    let unusable = |what: &str, e: io::Error| {
        ErrorBody::new(ErrorCode::StateDirUnusable, format!("{what} {}: {e}", socket.display()))
    };
    let listener = OwnerListener::bind(socket).map_err(|error| unusable("cannot listen on", error));
    let listener = match listener {
        Ok(listener) => listener,
        Err(error) => {
            app.supervisor.stop().await;
            return Err(error);
        }
    };
    let pointer = options.home.socket_pointer();
    if let Err(error) = write_private(&pointer, socket.as_os_str().as_encoded_bytes()) {
        tracing::warn!(%error, "the file that names the socket could not be written");
    }
    testpoint::watch_wall();
    tokio::spawn(retention::remove_forgotten(app.clone()));
    let sweep = tokio::spawn(retention::sweep(app.clone(), options.keep_days));
    let telling = tokio::spawn(notify::run(app.clone(), options.notify.clone()));
    tracing::info!(version = VERSION, pid = std::process::id(), "serving");
    announce(options.detached);
    let mut ending = app.ending.subscribe();
    let server = axum::serve(listener, http::router(app.clone())).with_graceful_shutdown(async move {
        http::told_to_end(&mut ending).await;
    });
    let mut server = tokio::spawn(server.into_future());
    let mut asked = app.ending.subscribe();
    let serves = tokio::select! {
        () = http::told_to_end(&mut asked) => true,
        () = ended_from_outside(app, options.idle_exit) => true,
        _ = &mut server => false,
    };
    let _ = app.ending.send(true);
    sweep.abort();
    telling.abort();
    if serves {
        let _ = tokio::time::timeout(CONNECTIONS_END_MAX, &mut server).await;
    }
    app.supervisor.stop().await;
    let _ = std::fs::remove_file(socket);
    let _ = std::fs::remove_file(&pointer);
    tracing::info!("ended; sessions go on");
    Ok(())
}

/// What a session gets so that the `adj` in it speaks to this daemon. A home whose path is not UTF-8 cannot be named in an
/// environment of text; its sessions then speak for themselves alone.
fn home_variables(home: &adjutant_api::home::Home) -> std::collections::BTreeMap<String, String> {
    let text = |(name, path): (&str, std::path::PathBuf)| Some((name.to_owned(), path.to_str()?.to_owned()));
    home.variables().into_iter().filter_map(text).collect()
}

/// Writes a small file that is the owner's alone, whatever the umask is and whatever lay there before.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(bytes)
}

/// The command that started a detached daemon waits for this line.
fn announce(detached: bool) {
    if !detached {
        return;
    }
    let _ = writeln!(io::stdout(), "{READY_LINE}");
    // The pipe has served its purpose; keeping it open would keep the command's readers waiting.
    if let Ok(null) = OpenOptions::new().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(&null);
    }
}

async fn ended_from_outside(app: &App, idle_exit: Option<Duration>) {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::warn!("signals cannot be caught; the daemon ends without ceremony when it gets one");
        return retention::unused(app.clone(), idle_exit).await;
    };
    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM"),
        _ = interrupt.recv() => tracing::info!("SIGINT"),
        () = retention::unused(app.clone(), idle_exit) => tracing::info!("no session has lived for the time of idle exit"),
    }
}
