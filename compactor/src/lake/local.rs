//! The lake of one machine: a folder, its catalog on SQLite.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use iceberg::CatalogBuilder;
use iceberg_catalog_sql::{SqlBindStyle, SqlCatalogBuilder};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions, Connection};

use super::{DurableFsFactory, Lake};
use crate::durable;
use crate::error::{Error, ErrorKind, Result};
use crate::schema;

impl Lake {
    /// Opens the lake of one machine, `<data_dir>/lake`, and makes it if there is none.
    ///
    /// Its catalog is `lake/catalog.db` (SQLite, write-ahead log, full fsync); every other file is durable before the
    /// catalog names it (I8). Paths in it are absolute, so the folder cannot be moved. Must be called within the
    /// tokio runtime that the lake will be used in.
    ///
    /// # Errors
    /// The folder cannot be written, was moved or copied, or holds a table of another version.
    pub async fn open(data_dir: &Path) -> Result<Self> {
        let folder = data_dir.join("lake");
        durable::create_folders(&folder).map_err(Error::lake(format!("create {}", folder.display())))?;
        let folder = folder.canonicalize().map_err(Error::lake(format!("find {}", folder.display())))?;
        let warehouse =
            folder.to_str().ok_or_else(|| Error::new(ErrorKind::Lake, format!("{} is not UTF-8", folder.display())))?;
        let database = folder.join("catalog.db");
        prepare_database(&database).await?;
        let catalog = SqlCatalogBuilder::default()
            .uri(database_uri(&database))
            .warehouse_location(warehouse)
            .sql_bind_style(SqlBindStyle::QMark)
            .with_storage_factory(Arc::new(DurableFsFactory))
            .load(schema::NAMESPACE, HashMap::new())
            .await
            .map_err(Error::lake(format!("open the catalog {}", database.display())))?;
        let lake = Self::with_catalog(Arc::new(catalog)).await?;
        lake.check_place(&folder).await?;
        Ok(lake)
    }

    /// Refuses a lake that was copied: its table would go on in the folder of the original.
    async fn check_place(&self, folder: &Path) -> Result<()> {
        let table = self.load().await?;
        let place = table.metadata().location();
        if Path::new(place).starts_with(folder) {
            return Ok(());
        }
        let message = format!(
            "the table of {} lies at {place}: its paths are absolute, so put the folder back there, or remove {0} and \
             compact raw/ again",
            folder.display()
        );
        Err(Error::new(ErrorKind::Table, message))
    }
}

/// Creates the catalog's database and switches it to a write-ahead log, so that readers never make a commit wait.
///
/// The switch needs the database for itself for a moment and SQLite does not wait for that, so it is tried a few times.
async fn prepare_database(path: &Path) -> Result<()> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .busy_timeout(Duration::from_secs(10))
        .journal_mode(SqliteJournalMode::Wal);
    let mut tries = 0;
    loop {
        match options.connect().await {
            Ok(connection) => {
                return connection.close().await.map_err(Error::lake(format!("close {}", path.display())));
            }
            Err(_) if tries < 50 => {
                tries += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => return Err(Error::caused(ErrorKind::Lake, format!("open {}", path.display()), error)),
        }
    }
}

/// `sqlite://` with every byte that means something in a URI escaped.
fn database_uri(path: &Path) -> String {
    let mut uri = String::from("sqlite://");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => uri.push(char::from(*byte)),
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri + "?mode=rwc"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_escaped_in_the_uri() {
        assert_eq!(database_uri(Path::new("/a b/50%?#ä/c.db")), "sqlite:///a%20b/50%25%3F%23%C3%A4/c.db?mode=rwc");
    }
}
