//! Two worlds, and an sshd of the test's own on loopback through which one comes to the other.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Signal, geteuid};

use crate::command::Running;
use crate::process::Process;
use crate::world::World;

/// Time for the server to listen.
const LISTENS_MAX: Duration = Duration::from_secs(30);

/// A near world that knows a far one as the host `box`, and nothing else of the user's own `ssh`.
#[derive(Debug)]
pub struct OtherHost {
    server: Option<Running>,
    port: u16,
    near: World,
    far: World,
}

impl OtherHost {
    /// Starts a server with keys of its own, which the user of this test enters as themselves.
    ///
    /// # Panics
    /// Where that cannot be done.
    pub fn start() -> Self {
        let far = World::new();
        let place = far.root().join("ssh");
        fs::create_dir(&place).expect("a directory in the world");
        fs::create_dir(far.root().join("bin")).expect("a directory in the world");
        symlink(far.adj_path(), far.root().join("bin/adj")).expect("a link in the world");
        for name in ["host", "user"] {
            let mut keygen = far.command("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(place.join(name));
            let _ = Running::start(keygen).end().expect_code(0);
        }
        fs::rename(place.join("user.pub"), place.join("authorized_keys")).expect("a key that is let in");
        let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr()).expect("a free port").port();
        let mut host = Self { server: None, port, near: World::new(), far };
        host.introduce();
        host.resume();
        host
    }

    /// Starts the server again, with what has become of its configuration meanwhile.
    ///
    /// # Panics
    /// Where it does not listen.
    pub fn resume(&mut self) {
        let config = self.far.root().join("ssh/config");
        fs::write(&config, self.config()).expect("a file in the world");
        let run = format!("exec /usr/sbin/sshd -D -e -f {} 2>&1", config.display());
        // As root it wants a directory below /run, which is nobody's business outside of this server.
        let script = format!("mount -t tmpfs none /run && mkdir /run/sshd && {run}");
        let mut command = if geteuid().is_root() {
            let mut command = self.far.command("unshare");
            command.args(["--mount", "--propagation", "private", "sh", "-c", &script]);
            command
        } else {
            let mut command = self.far.command("sh");
            command.args(["-c", &run]);
            command
        };
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        let server = Running::start(command);
        server.await_stdout("the server listens", LISTENS_MAX, |said| said.contains("Server listening"));
        self.server = Some(server);
    }

    fn config(&self) -> String {
        let (root, port) = (self.far.root().display(), self.port);
        format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {root}/ssh/host\nAuthorizedKeysFile {root}/ssh/authorized_keys\n\
             PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             PermitRootLogin yes\n\
             SetEnv ADJ_HOME={root}/a HOME={root}/home TMPDIR={root}/tmp PATH={root}/bin:/usr/bin:/bin LANG=C.UTF-8 \
             FAR=away\n"
        )
    }

    /// The world behind it.
    pub fn far(&self) -> &World {
        &self.far
    }

    /// The world from which it is called.
    pub fn near(&self) -> &World {
        &self.near
    }

    /// The same, to be changed.
    pub fn near_mut(&mut self) -> &mut World {
        &mut self.near
    }

    /// Has the near world's `ssh` know the far one alone.
    fn introduce(&mut self) {
        let near = &mut self.near;
        let (root, far, port) = (near.root().display(), self.far.root().display(), self.port);
        let mut id = near.command("id");
        id.arg("-un");
        let whoami = Running::start(id).end();
        let user = whoami.word();
        let config = format!(
            "Host box\n HostName 127.0.0.1\n Port {port}\n User {user}\n IdentityFile {far}/ssh/user\n \
             IdentitiesOnly yes\n UserKnownHostsFile {root}/known\n GlobalKnownHostsFile /dev/null\n"
        );
        fs::write(near.root().join("ssh_config"), config).expect("a file in the world");
        let bin = near.root().join("bin");
        fs::create_dir(&bin).expect("a directory in the world");
        let ssh = real_ssh();
        write_script(&bin.join("ssh"), &format!("exec {} -F {root}/ssh_config \"$@\"", ssh.display()));
        let path = std::env::var("PATH").unwrap_or_default();
        near.set_variable("PATH", &format!("{}:{path}", bin.display()));
    }

    /// What answers as `adj` there from now on: a script of `sh` in which `$adj` is the real one.
    ///
    /// # Panics
    /// Where it cannot be written.
    pub fn replace_adj(&self, script: &str) {
        let adj = self.far.root().join("bin/adj");
        fs::remove_file(&adj).expect("the link is there");
        write_script(&adj, &format!("adj={}\n{script}", self.far.adj_path().display()));
    }

    /// The host is down: nobody listens, and the connections that were there are cut.
    pub fn stop(&mut self) {
        self.cut();
        if let Some(server) = self.server.take() {
            server.signal(Signal::TERM);
            let _ = server.end();
        }
    }

    /// Cuts the connections that the near world shares, without a word.
    pub fn cut(&self) {
        for master in self.masters() {
            master.signal(Signal::KILL);
            master.ends_within(LISTENS_MAX);
        }
    }

    /// The processes that hold the near world's shared connections.
    fn masters(&self) -> Vec<Process> {
        let sockets = fs::read_dir(self.near.state().join("run")).into_iter().flatten().flatten();
        let shared = sockets
            .map(|entry| entry.path())
            .filter(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("c-")));
        let pid = |socket: PathBuf| {
            let mut check = self.near.command(real_ssh());
            check.args(["-F", "/dev/null", "-O", "check", "-S"]).arg(socket).arg("box");
            let said = Running::start(check).end().stderr;
            said.split("pid=").nth(1)?.split(')').next()?.parse::<u32>().ok()
        };
        shared.filter_map(pid).filter_map(Process::open).collect()
    }
}

impl Drop for OtherHost {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The `ssh` of this machine.
fn real_ssh() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|dir| dir.join("ssh")).find(|ssh| ssh.is_file());
    found.expect("ssh is installed")
}

fn write_script(path: &Path, text: &str) {
    fs::write(path, format!("#!/bin/sh\n{text}\n")).expect("a file in the world");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a program in the world");
}
