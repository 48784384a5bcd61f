//! The lake: the catalog, the table, and what the table says about itself.

mod consumed;
mod counts;
mod durable_fs;
mod fence;
mod files;
mod parquet_io;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use iceberg::spec::FormatVersion;
use iceberg::table::Table;
use iceberg::{Catalog, CatalogBuilder, NamespaceIdent, TableCreation, TableIdent};
use iceberg_catalog_sql::{SqlBindStyle, SqlCatalogBuilder};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions, Connection};

pub use consumed::ConsumedSet;
pub(crate) use counts::{BATCH, CONSUMED, has_batch};
pub use counts::{Counts, counts};
pub use durable_fs::{DurableFs, DurableFsFactory};
pub(crate) use fence::Fence;
pub use files::data_files;
pub(crate) use files::files_of_days;
pub(crate) use parquet_io::{ParquetFile, ParquetOutput, open};

use crate::durable;
use crate::error::{Error, ErrorKind, Result};
use crate::schema;

/// The table `requests` behind its catalog. Cheap to clone; any number may be open at once, in any number of processes.
#[derive(Debug, Clone)]
pub struct Lake {
    catalog: Arc<dyn Catalog>,
    table: TableIdent,
}

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

    /// The lake behind another catalog; makes namespace and table there if they are absent.
    ///
    /// # Errors
    /// The catalog fails, or holds a table of another version.
    pub async fn with_catalog(catalog: Arc<dyn Catalog>) -> Result<Self> {
        let namespace = NamespaceIdent::new(schema::NAMESPACE.to_owned());
        let lake = Self { catalog, table: TableIdent::new(namespace, schema::TABLE.to_owned()) };
        if !lake.exists().await? {
            lake.create().await?;
        }
        schema::check(lake.load().await?.metadata().current_schema())?;
        Ok(lake)
    }

    /// The table as it is now: one snapshot, which stays what it is whatever is committed later.
    ///
    /// # Errors
    /// Catalog or metadata cannot be read.
    pub async fn load(&self) -> Result<Table> {
        self.catalog.load_table(&self.table).await.map_err(Error::lake("load the table"))
    }

    /// The catalog, for what this crate does not do itself.
    pub fn catalog(&self) -> &Arc<dyn Catalog> {
        &self.catalog
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

    async fn exists(&self) -> Result<bool> {
        self.catalog.table_exists(&self.table).await.map_err(Error::lake("look for the table"))
    }

    /// Creates namespace and table. Another process may do the same at the same time: then either's is right.
    async fn create(&self) -> Result<()> {
        let namespace = self.table.namespace();
        let known = |error| Error::caused(ErrorKind::Lake, "create the namespace", error);
        if let Err(error) = self.catalog.create_namespace(namespace, HashMap::new()).await
            && !self.catalog.namespace_exists(namespace).await.map_err(known)?
        {
            return Err(known(error));
        }
        let creation = TableCreation::builder()
            .name(schema::TABLE.to_owned())
            .schema(schema::iceberg_schema()?)
            .partition_spec(schema::partition_spec()?)
            .sort_order(schema::sort_order()?)
            .properties(schema::properties())
            .format_version(FormatVersion::V2)
            .build();
        match self.catalog.create_table(namespace, creation).await {
            Err(error) if !self.exists().await? => Err(Error::caused(ErrorKind::Lake, "create the table", error)),
            _ => Ok(()),
        }
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
