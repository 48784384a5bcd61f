//! Where an installation keeps its API keys, and how the log learns of what becomes of them.

use std::io::Write;
use std::path::Path;

use bytes::Bytes;
use event::domain::Operation;
use event::{Event, EventIds, SCHEMA_VERSION, Timestamp, key};
use flate2::Compression;
use flate2::write::GzEncoder;
use ingest::System;
use ingest::http::auth::ApiKey;
use ingest::http::auth::key::{Minted, Wanted};
use ingest::local::keys::KeyFile;

#[cfg(feature = "aws")]
use crate::aws::Deployment;
use crate::config::Config;
use crate::failure::{Failure, Result};
use crate::installation::{self, Installation};

/// The keys of one installation.
pub struct Keyring {
    place: Place,
    system: System,
    environment: String,
}

enum Place {
    Folder(Installation),
    #[cfg(feature = "aws")]
    Aws(Box<Deployment>),
}

impl Keyring {
    /// The keys of the installation that the settings name, which is there.
    ///
    /// # Errors
    /// There is none, or it cannot be found.
    pub async fn existing(config: &Config) -> Result<Self> {
        Self::with(config, async |data, system| Installation::existing(data, system).await).await
    }

    /// The same, for making one: a folder that is not there is made, since keys may come before the first server.
    ///
    /// # Errors
    /// It cannot be found or made, or is another user's.
    pub async fn made(config: &Config) -> Result<Self> {
        Self::with(config, async |data, system| {
            if data.exists() {
                check_owner(data)?;
            }
            let installation = Installation::at(data, system)?;
            installation.prepare().await?;
            Ok(installation)
        })
        .await
    }

    async fn with(config: &Config, open: impl AsyncFnOnce(&Path, System) -> Result<Installation>) -> Result<Self> {
        let (system, environment) = (System::real(), config.environment.clone());
        #[cfg(feature = "aws")]
        if let Some(settings) = &config.aws {
            let place = Place::Aws(Box::new(Deployment::find(settings, system).await?));
            return Ok(Self { place, system, environment });
        }
        Ok(Self { place: Place::Folder(open(&config.data, system).await?), system, environment })
    }

    /// Every key that was ever made.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn all(&self) -> Result<Vec<ApiKey>> {
        match &self.place {
            Place::Folder(installation) => Ok(KeyFile::of(installation.folder()).read()?),
            #[cfg(feature = "aws")]
            Place::Aws(deployment) => Ok(deployment.keys().all().await?),
        }
    }

    /// Makes a key. The log has it before it opens anything.
    ///
    /// # Errors
    /// Its id was used before, or it makes no sense; it cannot be logged or kept.
    pub async fn create(&self, wanted: Wanted) -> Result<Minted> {
        let minted = Minted::new(wanted, self.system).map_err(Failure::new)?;
        let taken = || Failure::new(format!("there is a key {} already, or was; choose another id", minted.key.id));
        let is_taken = |keys: &[ApiKey]| keys.iter().any(|key| key.id == minted.key.id);
        let log = || self.log(&minted.key, "api_key.created", Operation::Create);
        match &self.place {
            Place::Folder(installation) => {
                // Of two who make the same key at once, one is logged.
                let mut change = KeyFile::of(installation.folder()).begin()?;
                if is_taken(&change.keys) {
                    return Err(taken());
                }
                log().await?;
                change.keys.push(minted.key.clone());
                change.make()?;
            }
            #[cfg(feature = "aws")]
            Place::Aws(deployment) => {
                if is_taken(&self.all().await?) {
                    return Err(taken());
                }
                log().await?;
                if !deployment.keys().add(&minted.key).await? {
                    return Err(taken());
                }
            }
        }
        Ok(minted)
    }

    /// Revokes a key, which opens nothing from then on; the log learns of it behind that.
    ///
    /// # Errors
    /// There is none of this id; it cannot be revoked, as by somebody who is not the owner; or it is, and the log could
    /// not be told.
    pub async fn revoke(&self, id: &str) -> Result<ApiKey> {
        let now = (self.system.now)();
        let key = match &self.place {
            Place::Folder(installation) => {
                check_owner(installation.folder())?;
                KeyFile::of(installation.folder()).change(|keys| {
                    let key = keys.iter_mut().find(|key| key.id == id).ok_or_else(|| unknown(id))?;
                    key.revoked_at.get_or_insert(now);
                    Ok::<_, Failure>(key.clone())
                })?
            }
            #[cfg(feature = "aws")]
            Place::Aws(deployment) => deployment.keys().revoke(id, now).await?.ok_or_else(|| unknown(id))?,
        };
        self.log(&key, "api_key.revoked", Operation::Delete).await.map_err(|failure| {
            Failure::new(format!("the key is revoked, but the log could not be told; repeat it: {failure}"))
        })?;
        Ok(key)
    }

    /// Writes a raw object of one event, as an import does, whether or not a server runs.
    async fn log(&self, about: &ApiKey, event_type: &str, operation: Operation) -> Result<()> {
        let now = (self.system.now)();
        let event = self.event(about, event_type, operation, now);
        match &self.place {
            Place::Folder(installation) => {
                let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
                let written = gzip.write_all(&event.to_line()).and_then(|()| gzip.write_all(b"\n"));
                let bytes = written.and_then(|()| gzip.finish()).map_err(Failure::while_("render an event"))?;
                let place = key::raw(now, &format!("keys-{}", event.event_id));
                installation.raw().add(&place, Bytes::from(bytes)).await?;
            }
            #[cfg(feature = "aws")]
            Place::Aws(deployment) => {
                deployment.raw_sink().put_lines(&event.event_id.to_string(), [event.to_line()]).await?;
            }
        }
        Ok(())
    }

    /// What happened to a key: its id, tenant, scope and times, neither the key nor its hash.
    fn event(&self, about: &ApiKey, event_type: &str, operation: Operation, now: Timestamp) -> Event {
        let settings = ingest::Settings::default();
        let event_id = EventIds::default().next(now, (self.system.random)());
        let data = serde_json::json!({
            "scope": about.scope, "expires_at": about.expires_at, "revoked_at": about.revoked_at,
        });
        Event {
            event_id,
            event_type: event_type.to_owned(),
            schema_version: SCHEMA_VERSION,
            received_at: now,
            tenant: about.tenant.clone(),
            request_id: event_id.to_string(),
            actor_type: "anonymous".to_owned(),
            api_key_id: Some(about.id.clone()),
            // No request made it: it was said on the command line.
            method: "_OTHER".to_owned(),
            path: "/".to_owned(),
            request_body_encoding: "none".to_owned(),
            status: 200,
            entity_type: Some("api_key".to_owned()),
            entity_id: Some(about.id.clone()),
            operation: Some(operation.as_str().to_owned()),
            event_data: Some(data.to_string()),
            service: settings.service,
            service_version: settings.service_version,
            environment: self.environment.clone(),
            ingest_path: "import".to_owned(),
            ..Event::default()
        }
        .sealed()
    }
}

/// Refuses who is not the user that the installation is of: what they write here a server could not read, and it would go
/// on with the keys of before.
#[cfg(unix)]
fn check_owner(folder: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    // The server made its key; before it has run, the folder is all there is.
    let made = [folder.join(installation::KEY), folder.to_owned()].into_iter().find(|path| path.exists());
    let path = made.unwrap_or_else(|| folder.to_owned());
    let owner = std::fs::metadata(&path).map_err(Failure::while_(format_args!("look at {}", path.display())))?.uid();
    let user = rustix::process::geteuid().as_raw();
    if owner == user {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{} belongs to the user {owner}, and this is the user {user}, whose keys its server could not read; run this as \
         {owner}, as with sudo -u '#{owner}'",
        path.display()
    )))
}

#[cfg(not(unix))]
fn check_owner(_: &Path) -> Result<()> {
    Ok(())
}

fn unknown(id: &str) -> Failure {
    Failure::new(format!("no key {id} was made here; one of the setting api-keys is removed there"))
}
