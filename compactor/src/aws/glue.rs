//! The Glue Data Catalog: as much of it as the compactor and its readers use.
//!
//! `iceberg-catalog-glue` 0.10.1 is not used here: it makes a client of its own, without a limit to how long a request may
//! take, and drops what others wrote into the table's entry (`docs/adr/0011-one-sdk-under-the-lake-on-aws.md`).

mod entry;

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use aws_sdk_glue::Client;
use aws_sdk_glue::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_glue::types::DatabaseInput;
use iceberg::io::FileIO;
use iceberg::spec::{TableMetadata, TableMetadataBuilder, TableMetadataRef};
use iceberg::table::Table;
use iceberg::{
    Catalog, Error, ErrorKind, MetadataLocation, Namespace, NamespaceIdent, Result, Runtime, TableCommit,
    TableCreation, TableIdent,
};

use super::chain;
use entry::Entry;

/// Iceberg tables in Glue, with Glue's own optimistic lock.
///
/// A commit is one `UpdateTable` that carries the version of the entry it was made from: it changes that very entry or
/// nothing. A failure other than a conflict leaves the outcome unknown; whoever commits has to look (see `commit`).
pub struct GlueCatalog {
    client: Client,
    files: FileIO,
    /// Where tables without a location of their own lie, without a `/` at its end.
    warehouse: String,
    runtime: Runtime,
    /// The metadata read last: a metadata file never changes, so that only its location is asked for again.
    last_read: Mutex<Option<(String, TableMetadataRef)>>,
}

impl GlueCatalog {
    /// The catalog of the account and region that `client` speaks for, with new tables under `warehouse`.
    ///
    /// # Errors
    /// There is no tokio runtime here.
    pub fn new(client: Client, files: FileIO, warehouse: &str) -> Result<Self> {
        let (warehouse, runtime) = (warehouse.trim_end_matches('/').to_owned(), Runtime::try_current()?);
        Ok(Self { client, files, warehouse, runtime, last_read: Mutex::new(None) })
    }

    async fn entry(&self, table: &TableIdent) -> Result<Entry> {
        let request = self.client.get_table().database_name(database(table.namespace())?).name(table.name());
        let answer = request.send().await.map_err(|error| failed("get the table's entry", error))?;
        let entry =
            answer.table.ok_or_else(|| Error::new(ErrorKind::TableNotFound, format!("{table} has no entry")))?;
        Entry::new(entry)
    }

    async fn table_at(&self, table: &TableIdent, location: &str) -> Result<Table> {
        let metadata = self.metadata(location).await?;
        self.table(table, location, metadata)
    }

    fn table(&self, table: &TableIdent, location: &str, metadata: impl Into<TableMetadataRef>) -> Result<Table> {
        Table::builder()
            .file_io(self.files.clone())
            .metadata_location(location)
            .metadata(metadata)
            .identifier(table.clone())
            .runtime(self.runtime.clone())
            .build()
    }

    async fn metadata(&self, location: &str) -> Result<TableMetadataRef> {
        let last = || self.last_read.lock().unwrap_or_else(PoisonError::into_inner);
        let known = last().as_ref().filter(|(at, _)| at == location).map(|(_, metadata)| metadata.clone());
        if let Some(metadata) = known {
            return Ok(metadata);
        }
        let metadata = TableMetadataRef::from(TableMetadata::read_from(&self.files, location).await?);
        *last() = Some((location.to_owned(), metadata.clone()));
        Ok(metadata)
    }
}

impl std::fmt::Debug for GlueCatalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GlueCatalog").field("warehouse", &self.warehouse).finish_non_exhaustive()
    }
}

#[async_trait]
impl Catalog for GlueCatalog {
    async fn load_table(&self, table: &TableIdent) -> Result<Table> {
        let entry = self.entry(table).await?;
        self.table_at(table, &entry.metadata_location).await
    }

    async fn table_exists(&self, table: &TableIdent) -> Result<bool> {
        let request = self.client.get_table().database_name(database(table.namespace())?).name(table.name());
        found("look for the table", request.send().await)
    }

    async fn namespace_exists(&self, namespace: &NamespaceIdent) -> Result<bool> {
        let request = self.client.get_database().name(database(namespace)?);
        found("look for the database", request.send().await)
    }

    async fn create_namespace(
        &self,
        namespace: &NamespaceIdent,
        properties: HashMap<String, String>,
    ) -> Result<Namespace> {
        let input = DatabaseInput::builder().name(database(namespace)?).set_parameters(Some(properties.clone()));
        let input = input.build().map_err(|error| Error::new(ErrorKind::DataInvalid, error.to_string()))?;
        let request = self.client.create_database().database_input(input);
        request.send().await.map_err(|error| failed("create the database", error))?;
        Ok(Namespace::with_properties(namespace.clone(), properties))
    }

    async fn create_table(&self, namespace: &NamespaceIdent, mut creation: TableCreation) -> Result<Table> {
        let table = TableIdent::new(namespace.clone(), creation.name.clone());
        let database = database(namespace)?;
        let location =
            creation.location.get_or_insert_with(|| format!("{}/{database}/{}", self.warehouse, table.name()));
        let location = location.clone();
        let metadata = TableMetadataBuilder::from_table_creation(creation)?.build()?.metadata;
        let place = MetadataLocation::new_with_metadata(location, &metadata);
        metadata.write_to(&self.files, &place).await?;
        let place = place.to_string();
        let input = entry::created(table.name(), &metadata, &place)?;
        let request = self.client.create_table().database_name(database).table_input(input);
        request.send().await.map_err(|error| failed("create the table's entry", error))?;
        self.table(&table, &place, metadata)
    }

    async fn update_table(&self, commit: TableCommit) -> Result<Table> {
        let table = commit.identifier().clone();
        let entry = self.entry(&table).await?;
        let staged = commit.apply(self.table_at(&table, &entry.metadata_location).await?)?;
        let place = staged.metadata_location_result()?;
        staged.metadata().write_to(&self.files, &MetadataLocation::from_str(place)?).await?;
        let request = self.client.update_table().database_name(database(table.namespace())?);
        let request = request.version_id(&entry.version).skip_archive(true);
        let request = request.table_input(entry.updated(staged.metadata(), place)?);
        request.send().await.map_err(|error| failed("update the table's entry", error))?;
        Ok(staged)
    }

    async fn list_namespaces(&self, _: Option<&NamespaceIdent>) -> Result<Vec<NamespaceIdent>> {
        Err(unused("list databases"))
    }

    async fn get_namespace(&self, _: &NamespaceIdent) -> Result<Namespace> {
        Err(unused("read a database"))
    }

    async fn update_namespace(&self, _: &NamespaceIdent, _: HashMap<String, String>) -> Result<()> {
        Err(unused("change a database"))
    }

    async fn drop_namespace(&self, _: &NamespaceIdent) -> Result<()> {
        Err(unused("drop a database"))
    }

    async fn list_tables(&self, _: &NamespaceIdent) -> Result<Vec<TableIdent>> {
        Err(unused("list tables"))
    }

    async fn drop_table(&self, _: &TableIdent) -> Result<()> {
        Err(unused("drop a table"))
    }

    async fn purge_table(&self, _: &TableIdent) -> Result<()> {
        Err(unused("purge a table"))
    }

    async fn rename_table(&self, _: &TableIdent, _: &TableIdent) -> Result<()> {
        Err(unused("rename a table"))
    }

    async fn register_table(&self, _: &TableIdent, _: String) -> Result<Table> {
        Err(unused("register a table"))
    }
}

/// The one name of a namespace: Glue has no databases within databases.
fn database(namespace: &NamespaceIdent) -> Result<String> {
    match namespace.as_ref().as_slice() {
        [name] if !name.is_empty() => Ok(name.clone()),
        _ => Err(Error::new(ErrorKind::DataInvalid, format!("{namespace:?} is no name of a Glue database"))),
    }
}

fn found<T, E>(what: &str, answer: std::result::Result<T, SdkError<E>>) -> Result<bool>
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    match answer {
        Ok(_) => Ok(true),
        Err(error) if error.code() == Some("EntityNotFoundException") => Ok(false),
        Err(error) => Err(failed(what, error)),
    }
}

/// Never retryable: what a conflict asks for is another plan.
fn failed<E>(what: &str, error: SdkError<E>) -> Error
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let code = error.code().unwrap_or_default();
    let kind = match code {
        "ConcurrentModificationException" => ErrorKind::CatalogCommitConflicts,
        "EntityNotFoundException" => ErrorKind::TableNotFound,
        _ => ErrorKind::Unexpected,
    };
    Error::new(kind, format!("{what} in Glue: {code} {}", chain(&error)))
}

fn unused(what: &str) -> Error {
    Error::new(ErrorKind::FeatureUnsupported, format!("the compactor does not {what} in Glue"))
}
