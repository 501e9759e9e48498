//! Tokens of the gateway: what callers outside may do, in a small file of the owner's alone.
//!
//! Of a token's text only the SHA-256 is kept. The file is replaced whole; one that cannot be read is told, and until it can
//! be read no token is good.

mod grant;
mod stored;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use adjutant_core::{Timestamp, TokenId};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

pub(crate) use self::grant::{Grant, ModeRow, SESSIONS_MAX_DEFAULT};
pub(crate) use self::stored::{RECORD_BYTES, Room, Stored, limit as stored_max};
use crate::{clock, file};

/// Tokens that may be there at once, those that have ended among them.
const TOKENS_MAX: usize = 1_000;

/// How long a token that has ended stays listed, in milliseconds.
const ENDED_KEPT_MS: i64 = 30 * 24 * 3_600_000;

/// How often the end of a token is looked at by a stream that it has open: the wall clock may be set meanwhile.
const LOOK_MAX: Duration = Duration::from_secs(60);

/// The name of the file in the state directory.
const FILE: &str = "gateway-tokens.json";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    /// The number of the next token; none is used twice.
    next: u64,
    tokens: BTreeMap<u64, Grant>,
}

impl Default for Document {
    fn default() -> Self {
        Self { next: 1, tokens: BTreeMap::new() }
    }
}

/// Why tokens cannot be read, made or revoked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    /// The file cannot be read or written.
    #[error("the file of the gateway's tokens cannot be used: {0}")]
    File(#[from] io::Error),
    /// There are too many.
    #[error("{TOKENS_MAX} tokens are there, which is the limit")]
    TooMany,
    /// There is none of that id.
    #[error("no token {0}")]
    NotFound(TokenId),
}

/// The tokens of a host.
#[derive(Debug)]
pub(crate) struct Tokens {
    file: PathBuf,
    /// What the file holds, once it was read.
    known: Mutex<Option<Document>>,
    /// Counts changes, so that whatever a token has open can look whether it is still good.
    changes: watch::Sender<u64>,
}

impl Tokens {
    pub(crate) fn new(state_dir: &Path) -> Self {
        Self { file: state_dir.join(FILE), known: Mutex::default(), changes: watch::Sender::new(0) }
    }

    /// All tokens. Waits for the disk.
    pub(crate) fn all(&self) -> Result<Vec<(TokenId, Grant)>, TokenError> {
        let mut known = self.known();
        let document = self.document(&mut known)?;
        Ok(document.tokens.iter().map(|(id, grant)| (TokenId::new(*id), grant.clone())).collect())
    }

    /// Makes a token. Waits for the disk.
    pub(crate) fn add(&self, grant: Grant) -> Result<TokenId, TokenError> {
        let mut known = self.known();
        let document = self.document(&mut known)?;
        let now = clock::wall().as_millis();
        let is_kept = |grant: &Grant| grant.expires_at.is_none_or(|end| end + ENDED_KEPT_MS > now);
        let mut tokens: BTreeMap<u64, Grant> = document.tokens.clone();
        tokens.retain(|_, grant| is_kept(grant));
        if tokens.len() >= TOKENS_MAX {
            return Err(TokenError::TooMany);
        }
        let id = document.next;
        tokens.insert(id, grant);
        self.write(&mut known, Document { next: id + 1, tokens })?;
        Ok(TokenId::new(id))
    }

    /// Revokes a token; whatever it has open ends. Waits for the disk.
    pub(crate) fn revoke(&self, id: TokenId) -> Result<Grant, TokenError> {
        let mut known = self.known();
        let document = self.document(&mut known)?;
        let mut tokens = document.tokens.clone();
        let next = document.next;
        let grant = tokens.remove(&id.get()).ok_or(TokenError::NotFound(id))?;
        self.write(&mut known, Document { next, tokens })?;
        Ok(grant)
    }

    /// The token whose text has this hash, if it is good now. Every token is compared, each in the same time.
    pub(crate) fn find(&self, hash: &str) -> Option<(TokenId, Grant)> {
        let mut known = self.known();
        let document = match self.document(&mut known) {
            Ok(document) => document,
            Err(error) => {
                tracing::error!(%error, "no token is good until their file can be read");
                return None;
            }
        };
        let mut found = None;
        for (id, grant) in &document.tokens {
            if is_same(grant.hash.as_bytes(), hash.as_bytes()) {
                found = Some((TokenId::new(*id), grant));
            }
        }
        found.filter(|(_, grant)| grant.is_good_at(clock::wall())).map(|(id, grant)| (id, grant.clone()))
    }

    /// What a token allows, if it is good now.
    pub(crate) fn grant(&self, id: TokenId) -> Option<Grant> {
        let mut known = self.known();
        let document = self.document(&mut known).ok()?;
        document.tokens.get(&id.get()).filter(|grant| grant.is_good_at(clock::wall())).cloned()
    }

    /// Completes when the token is good no more.
    pub(crate) async fn ended(self: Arc<Self>, id: TokenId) {
        let mut changes = self.changes.subscribe();
        while let Some(grant) = self.grant(id) {
            let left = grant.expires_at.map(|end| clock::wall().millis_until(end)).map(Duration::from_millis);
            let look = left.map_or(LOOK_MAX, |left| left.min(LOOK_MAX));
            if let Ok(Err(_)) = tokio::time::timeout(look, changes.changed()).await {
                return;
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, Option<Document>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn document<'a>(&self, known: &'a mut Option<Document>) -> Result<&'a Document, TokenError> {
        if known.is_none() {
            *known = Some(self.read()?);
        }
        known.as_ref().ok_or_else(|| TokenError::File(io::Error::other("it was not read")))
    }

    fn read(&self) -> io::Result<Document> {
        match std::fs::read(&self.file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Document::default()),
            Err(error) => Err(error),
        }
    }

    fn write(&self, known: &mut Option<Document>, document: Document) -> io::Result<()> {
        let bytes = serde_json::to_vec_pretty(&document).map_err(io::Error::other)?;
        file::write_whole(&self.file, &bytes)?;
        *known = Some(document);
        self.changes.send_modify(|count| *count += 1);
        Ok(())
    }
}

/// Whether two texts are the same, in a time that does not depend on where they differ.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let differences = one.iter().zip(other).fold(0_u8, |all, (a, b)| all | (a ^ b));
    one.len() == other.len() && std::hint::black_box(differences) == 0
}

/// How long from one moment to another; 0 for one that has passed.
trait Until {
    fn millis_until(self, end: i64) -> u64;
}

impl Until for Timestamp {
    fn millis_until(self, end: i64) -> u64 {
        u64::try_from(end.saturating_sub(self.as_millis())).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn grant(hash: &str, expires_at: Option<i64>) -> Grant {
        Grant { hash: hash.to_owned(), expires_at, ..Grant::default() }
    }

    #[test]
    fn a_token_is_found_by_its_hash_as_long_as_it_is_good() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = Tokens::new(dir.path());
        assert!(tokens.all().unwrap().is_empty() && tokens.find("").is_none());
        let first = tokens.add(grant("aa", None)).unwrap();
        let ended = tokens.add(grant("bb", Some(1))).unwrap();
        assert_eq!((first.to_string(), ended.to_string()), ("t1".to_owned(), "t2".to_owned()));
        assert_eq!(tokens.find("aa").unwrap().0, first);
        assert!(tokens.find("bb").is_none() && tokens.find("a").is_none() && tokens.find("ab").is_none());
        let again = Tokens::new(dir.path());
        assert_eq!(again.find("aa").unwrap().0, first);
        again.revoke(first).unwrap();
        assert!(again.find("aa").is_none());
        assert!(matches!(again.revoke(first), Err(TokenError::NotFound(_))));
        assert_eq!(again.add(grant("cc", None)).unwrap().to_string(), "t3", "no id is used twice");
        let mode = std::fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn with_a_damaged_file_no_token_is_good() {
        let dir = tempfile::tempdir().unwrap();
        Tokens::new(dir.path()).add(grant("aa", None)).unwrap();
        std::fs::write(dir.path().join(FILE), "{\"next\": 2").unwrap();
        let tokens = Tokens::new(dir.path());
        assert!(tokens.find("aa").is_none());
        assert!(matches!(tokens.add(grant("bb", None)), Err(TokenError::File(_))));
        assert_eq!(std::fs::read_to_string(dir.path().join(FILE)).unwrap(), "{\"next\": 2");
    }

    #[test]
    fn sameness_is_of_all_bytes() {
        assert!(is_same(b"abc", b"abc"));
        for other in [&b"abd"[..], b"bbc", b"ab", b"abcd", b""] {
            assert!(!is_same(b"abc", other));
        }
    }

    #[tokio::test]
    async fn what_a_token_has_open_hears_of_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = Arc::new(Tokens::new(dir.path()));
        let id = tokens.add(grant("aa", None)).unwrap();
        let ended = tokio::spawn(Arc::clone(&tokens).ended(id));
        tokens.add(grant("bb", None)).unwrap();
        tokens.revoke(id).unwrap();
        ended.await.unwrap();
        let short = tokens.add(grant("cc", Some(clock::wall().as_millis() + 20))).unwrap();
        Arc::clone(&tokens).ended(short).await;
        assert!(tokens.grant(short).is_none());
    }
}
