//! The data folder: what stands in it, and how it is opened.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use compactor::{DirRawLog, Gateway, Lake, RawLog, Upkeep, UpkeepOptions, UpkeepSummary};
use event::Timestamp;
use event::gateway::Source;
use event::key::GATEWAY;
use event::redact::{Redactor, Rules};
use event::secret::InstallationKey;
use ingest::files;
use ingest::local::relay;
use ingest::store::sqlite::{SqliteReader, SqliteStore};
use ingest::{ErrorKind, System};

use crate::config::Config;
use crate::failure::{Failure, Result};

/// The file that holds the installation's key, in hex.
pub const KEY: &str = "installation.key";
/// What a data folder holds at least one of.
pub const HOLDINGS: [&str; 3] = ["store.db", "raw", "lake"];
/// How often, and after what pauses, a store that another process has is tried again.
const OPEN_TRIES: u32 = 40;
const OPEN_PAUSE: Duration = Duration::from_millis(50);

/// A data folder.
#[derive(Debug, Clone)]
pub struct Installation {
    folder: PathBuf,
    system: System,
}

impl Installation {
    /// The installation in `folder`, absolute from now on: the table's metadata names its files by absolute paths.
    ///
    /// # Errors
    /// The folder cannot be made or found.
    pub fn at(folder: &Path, system: System) -> Result<Self> {
        files::create_folder_durably(folder)
            .map_err(Failure::while_(format_args!("create the data folder {}", folder.display())))?;
        let folder = folder
            .canonicalize()
            .map_err(Failure::while_(format_args!("find the data folder {}", folder.display())))?;
        Ok(Self { folder, system })
    }

    /// The installation in a folder that is there, with everything relayed that a stopped server left behind: for
    /// commands that read it. A folder that is not there is a slip of the pen, not an empty installation.
    ///
    /// # Errors
    /// There is no such folder, or nothing of Daybook's in it; the store's or the relay's.
    pub async fn existing(folder: &Path, system: System) -> Result<Self> {
        if !folder.exists() {
            let folder = folder.display();
            return Err(Failure::new(format!(
                "there is no data folder {folder}; name it with --data, or make one with daybook serve"
            )));
        }
        let installation = Self::at(folder, system)?;
        if !HOLDINGS.iter().any(|name| installation.folder.join(name).exists()) {
            let folder = installation.folder.display();
            return Err(Failure::new(format!(
                "{folder} holds nothing of Daybook's ({}); name another folder with --data",
                HOLDINGS.map(|name| format!("no {name}")).join(", ")
            )));
        }
        installation.settle().await?;
        Ok(installation)
    }

    /// The folder's absolute path.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        (self.system.now)()
    }

    /// The clock and randomness.
    pub fn system(&self) -> System {
        self.system
    }

    /// A key for one purpose, made from the installation's, which is made on first use.
    ///
    /// # Errors
    /// The key's file cannot be read or written, or holds something else.
    pub fn key(&self, purpose: &str) -> Result<[u8; 32]> {
        let path = self.folder.join(KEY);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let text = event::hex(&self.random_key()) + "\n";
                files::write_secret_durably(&path, text.as_bytes())
                    .map_err(Failure::while_(format_args!("write {}", path.display())))?;
                text
            }
            Err(error) => return Err(Failure::while_(format_args!("read {}", path.display()))(error)),
        };
        let key: InstallationKey = text
            .parse()
            .map_err(|error| Failure::new(format!("{} {error}; restore it from a backup", path.display())))?;
        Ok(key.derive(purpose))
    }

    /// Opens the store for writing: one process at a time. A command that relays what a stopped server left behind has
    /// the store for a moment, so it is waited for a little.
    ///
    /// # Errors
    /// The store's.
    pub async fn store(&self) -> Result<SqliteStore> {
        let random = (self.system.random)();
        let mut tries = 0;
        loop {
            match SqliteStore::open(&self.folder, [random[0], random[1], random[2], random[3]]) {
                Err(error) if error.kind() == ErrorKind::InUse && tries < OPEN_TRIES => tries += 1,
                other => return Ok(other?),
            }
            tokio::time::sleep(OPEN_PAUSE).await;
        }
    }

    /// Makes store and key as the server does, unless there is a key: for what writes events without a server. Does
    /// nothing to an installation that has been served.
    ///
    /// # Errors
    /// The store's or the key's.
    pub async fn prepare(&self) -> Result<()> {
        if !self.had_store() {
            drop(self.store().await?);
            self.key("redaction")?;
        }
        Ok(())
    }

    /// Whether there was a store: the key is made after it.
    pub fn had_store(&self) -> bool {
        self.folder.join(KEY).exists()
    }

    /// Opens the store for reading, if there is one.
    ///
    /// # Errors
    /// The store's.
    pub fn reader(&self) -> Result<Option<SqliteReader>> {
        SqliteStore::exists(&self.folder).then(|| SqliteReader::open(&self.folder)).transpose().map_err(Failure::from)
    }

    /// Relays what a stopped server left behind. Does nothing while a server runs: it relays by itself.
    ///
    /// # Errors
    /// The store's or the relay's.
    pub async fn settle(&self) -> Result<()> {
        if !SqliteStore::exists(&self.folder) {
            return Ok(());
        }
        let random = (self.system.random)();
        match SqliteStore::open(&self.folder, [random[0], random[1], random[2], random[3]]) {
            Ok(store) => relay::drain(&store, self.now()).await.map(|_| ()).map_err(Failure::from),
            Err(error) if error.kind() == ErrorKind::InUse => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The raw objects.
    pub fn raw(&self) -> Arc<dyn RawLog> {
        Arc::new(DirRawLog::new(&self.folder))
    }

    /// Masks secrets as the server does and always has; `mask` are more names whose values are secrets.
    ///
    /// # Errors
    /// The installation's key cannot be read or made, or a name makes no sense.
    pub fn redactor(&self, mask: &[String]) -> Result<Redactor> {
        redactor(self.key("redaction")?, mask)
    }

    /// What folds an API gateway's own log in, if the folder holds one: such as a copy of a bucket.
    ///
    /// # Errors
    /// The installation's key cannot be read, or a name of `mask` makes no sense.
    pub fn gateway(&self, config: &Config) -> Result<Option<Gateway>> {
        if !self.folder.join(GATEWAY.trim_end_matches('/')).exists() {
            return Ok(None);
        }
        // A copy of a bucket has no key, and making one would say that a server had been here. Under a key that is
        // forgotten, masks hide as much; they only cannot be joined with others.
        let key = if self.had_store() { self.key("redaction")? } else { self.random_key() };
        let settings = ingest::Settings::default();
        let source = Source {
            service: settings.service,
            service_version: settings.service_version,
            environment: config.environment.clone(),
            region: settings.region,
        };
        Ok(Some(Gateway::new(source, redactor(key, &config.mask)?)))
    }

    fn random_key(&self) -> [u8; 32] {
        let mut key = [0; 32];
        key[..16].copy_from_slice(&(self.system.random)());
        key[16..].copy_from_slice(&(self.system.random)());
        key
    }

    /// The table.
    ///
    /// # Errors
    /// The catalog's.
    pub async fn lake(&self) -> Result<Lake> {
        Ok(Lake::open(&self.folder).await?)
    }

    /// Keeps the table small and its folder tidy, as far as that is due.
    ///
    /// # Errors
    /// The table cannot be read or changed.
    pub async fn keep_up(&self, lake: &Lake, memory: u64) -> Result<UpkeepSummary> {
        let options = UpkeepOptions { memory, ..UpkeepOptions::default() };
        Ok(Upkeep::new(lake, &self.folder, options)?.run(self.now(), &self.system.random).await?)
    }
}

fn redactor(key: [u8; 32], mask: &[String]) -> Result<Redactor> {
    let rules = Rules::default().with_keys(mask.iter().cloned());
    Redactor::new(key, rules).map_err(Failure::while_("use mask"))
}
