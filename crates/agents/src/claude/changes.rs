//! Changes in directories, as the kernel tells of them: to one thread of the process, because the kernel gives a user few of
//! these bells, and a daemon holds many sessions.

use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tokio::sync::Notify;

/// Bytes of the kernel's words that are taken at once.
const WORDS_BYTES: usize = 16 * 1024;

/// A bell that rings when something in one of its directories changes.
#[derive(Debug)]
pub(super) struct Changes {
    bell: Arc<Notify>,
    ringer: &'static Ringer,
}

/// Who hears the kernel and rings the bells.
#[derive(Debug)]
struct Ringer {
    fd: OwnedFd,
    bells: Mutex<HashMap<i32, Vec<Weak<Notify>>>>,
}

impl Changes {
    /// A bell without directories.
    ///
    /// # Errors
    /// When the kernel does not tell this process of changes.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { bell: Arc::new(Notify::new()), ringer: ringer()? })
    }

    /// Adds a directory. What changed before may have rung nobody, and is for the caller to see.
    ///
    /// # Errors
    /// When it is not there.
    pub(super) fn add(&self, directory: &Path) -> io::Result<()> {
        let what = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::DELETE;
        let mut bells = self.ringer.locked();
        let watch = inotify::add_watch(&self.ringer.fd, directory, what | WatchFlags::ONLYDIR)?;
        bells.entry(watch).or_default().push(Arc::downgrade(&self.bell));
        Ok(())
    }

    /// Waits for a change. What has changed is for the caller to see; several changes may ring once.
    pub(super) async fn next(&self) {
        self.bell.notified().await;
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        let own = Arc::downgrade(&self.bell);
        let mut bells = self.ringer.locked();
        bells.retain(|watch, ringing| {
            ringing.retain(|bell| !bell.ptr_eq(&own) && bell.strong_count() > 0);
            if ringing.is_empty() {
                // A directory that is gone took its watch along.
                let _ = inotify::remove_watch(&self.ringer.fd, *watch);
            }
            !ringing.is_empty()
        });
    }
}

impl Ringer {
    fn locked(&self) -> MutexGuard<'_, HashMap<i32, Vec<Weak<Notify>>>> {
        self.bells.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hears the kernel for as long as the process lives.
    fn hear(&self) {
        let mut words = [const { MaybeUninit::uninit() }; WORDS_BYTES];
        let mut heard = inotify::Reader::new(&self.fd, &mut words);
        loop {
            match heard.next() {
                Ok(event) => self.ring(event.wd()),
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return tracing::error!(%errno, "the kernel tells of no change any more"),
            }
        }
    }

    /// Rings the bells of a directory; all of them where the kernel could not keep up.
    fn ring(&self, watch: i32) {
        let bells = self.locked();
        let all = bells.iter().filter(|(known, _)| watch < 0 || **known == watch);
        all.flat_map(|(_, ringing)| ringing).filter_map(Weak::upgrade).for_each(|bell| bell.notify_one());
    }
}

fn ringer() -> io::Result<&'static Ringer> {
    static RINGER: OnceLock<Result<Ringer, rustix::io::Errno>> = OnceLock::new();
    static HEARING: OnceLock<io::Result<()>> = OnceLock::new();
    let made = RINGER.get_or_init(|| {
        let fd = inotify::init(CreateFlags::CLOEXEC)?;
        Ok(Ringer { fd, bells: Mutex::default() })
    });
    let ringer = made.as_ref().map_err(|errno| io::Error::from(*errno))?;
    let hear = || std::thread::Builder::new().name("changes".to_owned()).spawn(|| ringer.hear()).map(drop);
    match HEARING.get_or_init(hear) {
        Ok(()) => Ok(ringer),
        Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn every_bell_of_a_directory_rings_and_no_other() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let bells: Vec<Changes> = (0..3).map(|_| Changes::new().unwrap()).collect();
        bells[0].add(one.path()).unwrap();
        bells[1].add(one.path()).unwrap();
        bells[2].add(other.path()).unwrap();
        std::fs::write(one.path().join("a"), "x").unwrap();
        for bell in &bells[..2] {
            timeout(SOON, bell.next()).await.unwrap();
        }
        assert!(timeout(Duration::from_millis(50), bells[2].next()).await.is_err());
        std::fs::write(other.path().join("a"), "x").unwrap();
        timeout(SOON, bells[2].next()).await.unwrap();
    }

    #[tokio::test]
    async fn a_bell_that_is_gone_leaves_the_others() {
        let dir = tempfile::tempdir().unwrap();
        let (stays, goes) = (Changes::new().unwrap(), Changes::new().unwrap());
        stays.add(dir.path()).unwrap();
        goes.add(dir.path()).unwrap();
        drop(goes);
        std::fs::write(dir.path().join("a"), "x").unwrap();
        timeout(SOON, stays.next()).await.unwrap();
        assert!(stays.add(&dir.path().join("nowhere")).is_err());
    }
}
