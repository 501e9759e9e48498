//! Where the gateway listens, and how it takes connections in.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use adjutant_api::{ErrorBody, ErrorCode};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::task::JoinHandle;

use super::serve::{Peer, connection};
use super::{Gateway, GatewayOptions, owner};
use crate::listen::breathe;

/// Rights of the socket for containers: whoever reaches it needs a token, as on the port.
const SOCKET_MODE: u32 = 0o666;

/// The listeners of a gateway.
pub(super) struct Listeners {
    tcp: Option<TcpListener>,
    unix: Option<(UnixListener, String)>,
}

impl Listeners {
    pub(super) async fn bind(options: &GatewayOptions) -> Result<Self, ErrorBody> {
        let tcp = match options.address {
            Some((address, port)) => Some(bind_tcp((address, port).into()).await?),
            None => None,
        };
        let unix = match &options.socket {
            Some(path) => Some((bind_unix(path).await?, path.display().to_string())),
            None => None,
        };
        Ok(Self { tcp, unix })
    }

    /// The addresses, as a client names them.
    pub(super) fn addresses(&self) -> Vec<String> {
        let tcp = self.address().map(|address| format!("http://{address}"));
        tcp.into_iter().chain(self.unix.iter().map(|(_, path)| format!("unix:{path}"))).collect()
    }

    pub(super) fn port(&self) -> Option<u16> {
        self.address().map(|address| address.port())
    }

    fn address(&self) -> Option<SocketAddr> {
        self.tcp.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// Takes connections in until the tasks are ended.
    pub(super) fn accept(self, gateway: &Arc<Gateway>) -> Vec<JoinHandle<()>> {
        let tcp = self.tcp.map(|listener| tokio::spawn(accept_tcp(listener, Arc::clone(gateway))));
        let unix = self.unix.map(|(listener, _)| tokio::spawn(accept_unix(listener, Arc::clone(gateway))));
        tcp.into_iter().chain(unix).collect()
    }
}

async fn bind_tcp(address: SocketAddr) -> Result<TcpListener, ErrorBody> {
    TcpListener::bind(address).await.map_err(|error| not_bound(address, &error))
}

/// Why nobody can listen there.
pub(super) fn not_bound(address: SocketAddr, error: &io::Error) -> ErrorBody {
    match error.kind() == io::ErrorKind::AddrInUse {
        true => in_use(address),
        false => ErrorBody::new(ErrorCode::Usage, format!("cannot listen on {address}: {error}")),
    }
}

fn in_use(address: SocketAddr) -> ErrorBody {
    let owner = owner::of_port(address.port());
    let shown = owner.as_ref().map_or(String::new(), |(pid, name)| format!(" by {name} (pid {pid})"));
    let error = ErrorBody::new(ErrorCode::PortInUse, format!("the port {} is taken{shown}", address.port()));
    let error = error.with_detail("port", address.port()).with_detail("pid", owner.map(|(pid, _)| pid));
    error.with_hint("adj gateway run --port <another>; 0 takes any that is free")
}

/// Binds a socket. One that nobody listens on any more is replaced; anything else that lies there stays.
async fn bind_unix(path: &Path) -> Result<UnixListener, ErrorBody> {
    let shown = path.display();
    if let Ok(found) = std::fs::symlink_metadata(path) {
        let live = found.file_type().is_socket() && UnixStream::connect(path).await.is_ok();
        if live || !found.file_type().is_socket() {
            let what = if live { "somebody listens on it already" } else { "there is a file that is no socket" };
            return Err(ErrorBody::new(ErrorCode::PortInUse, format!("{shown}: {what}")));
        }
        let _ = std::fs::remove_file(path);
    }
    let unusable = |e: io::Error| ErrorBody::new(ErrorCode::Usage, format!("cannot listen on {shown}: {e}"));
    let listener = UnixListener::bind(path).map_err(unusable)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE)).map_err(unusable)?;
    Ok(listener)
}

async fn accept_tcp(listener: TcpListener, gateway: Arc<Gateway>) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                let bound = stream.local_addr().ok().map(|address| address.ip());
                let peer = Peer::of(address.ip(), bound);
                let _ = stream.set_nodelay(true);
                tokio::spawn(connection(Arc::clone(&gateway), stream, peer));
            }
            Err(error) => not_accepted(&gateway, &error).await,
        }
    }
}

async fn accept_unix(listener: UnixListener, gateway: Arc<Gateway>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let user = stream.peer_cred().map_or_else(|_| "?".to_owned(), |peer| peer.uid().to_string());
                let peer = Peer::user(&user);
                tokio::spawn(connection(Arc::clone(&gateway), stream, peer));
            }
            Err(error) => not_accepted(&gateway, &error).await,
        }
    }
}

async fn not_accepted(gateway: &Gateway, error: &io::Error) {
    gateway.lines.say(&format!("a connection was not taken in: {error}"));
    breathe().await;
}
