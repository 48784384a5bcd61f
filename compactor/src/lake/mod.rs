//! The lake: the catalog, the table, and what the table says about itself.

mod consumed;
mod counts;
#[cfg(feature = "local")]
mod durable_fs;
mod fence;
mod files;
#[cfg(feature = "local")]
mod local;
mod parquet_io;

use std::collections::HashMap;
use std::sync::Arc;

use iceberg::spec::FormatVersion;
use iceberg::table::Table;
use iceberg::{Catalog, NamespaceIdent, TableCreation, TableIdent};

pub use consumed::ConsumedSet;
pub(crate) use counts::{BATCH, CONSUMED, has_batch};
pub use counts::{Counts, GatewayCounts, counts};
#[cfg(feature = "local")]
pub(crate) use durable_fs::read_range;
#[cfg(feature = "local")]
pub use durable_fs::{DurableFs, DurableFsFactory};
pub(crate) use fence::Fence;
pub use files::data_files;
pub(crate) use files::{Files, day};
#[cfg(feature = "local")]
pub(crate) use files::{is_live, manifests, refuse_deletes};
pub(crate) use parquet_io::{ParquetFile, open, open_known};

use crate::error::{Error, ErrorKind, Result};
use crate::schema;

/// The table `requests` behind its catalog. Cheap to clone; any number may be open at once, in any number of processes.
#[derive(Debug, Clone)]
pub struct Lake {
    catalog: Arc<dyn Catalog>,
    table: TableIdent,
}

impl Lake {
    /// The lake behind another catalog; makes namespace and table there if they are absent.
    ///
    /// # Errors
    /// The catalog fails, or holds a table of another version.
    pub async fn with_catalog(catalog: Arc<dyn Catalog>) -> Result<Self> {
        let lake = Self::named(catalog, schema::NAMESPACE);
        lake.create_if_absent().await?;
        lake.load_checked().await?;
        Ok(lake)
    }

    /// The table `requests` of a namespace, whether it is there or not.
    pub(crate) fn named(catalog: Arc<dyn Catalog>, namespace: &str) -> Self {
        let namespace = NamespaceIdent::new(namespace.to_owned());
        Self { catalog, table: TableIdent::new(namespace, schema::TABLE.to_owned()) }
    }

    pub(crate) async fn create_if_absent(&self) -> Result<()> {
        if self.exists().await? { Ok(()) } else { self.create().await }
    }

    /// The table as it is now, if it is of this version.
    pub(crate) async fn load_checked(&self) -> Result<Table> {
        let table = self.load().await?;
        schema::check(table.metadata().current_schema())?;
        Ok(table)
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

    pub(crate) async fn exists(&self) -> Result<bool> {
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
