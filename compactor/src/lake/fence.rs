//! The commit fence: a commit is made on the table its plan was made from, or not at all.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use iceberg::table::Table;
use iceberg::{Catalog, Error, ErrorKind, Namespace, NamespaceIdent, Result, TableCommit, TableCreation, TableIdent};

/// A catalog whose `load_table` fails once the table has moved on from `planned`.
///
/// `Transaction::commit` reloads the table and silently rebases on what it finds: an append planned from a stale table
/// would be accepted, and two compactors would add the same objects. Between this check and the catalog's own
/// compare-and-swap another commit may still slip in; it is met by the requirement, made by every append, that the
/// branch still points at the snapshot it was planned from. Therefore every commit of this crate makes a snapshot, even
/// one without rows: a change of properties alone carries no requirement.
#[derive(Debug)]
pub(crate) struct Fence {
    catalog: Arc<dyn Catalog>,
    planned: String,
}

impl Fence {
    /// A fence around `catalog` for a plan made from the table at the metadata location `planned`.
    pub(crate) fn new(catalog: Arc<dyn Catalog>, planned: impl Into<String>) -> Self {
        Self { catalog, planned: planned.into() }
    }
}

#[async_trait]
impl Catalog for Fence {
    async fn load_table(&self, table: &TableIdent) -> Result<Table> {
        let found = self.catalog.load_table(table).await?;
        if found.metadata_location() == Some(self.planned.as_str()) {
            return Ok(found);
        }
        let message = "the table has changed since the plan was made";
        Err(Error::new(ErrorKind::CatalogCommitConflicts, message).with_retryable(false))
    }

    async fn update_table(&self, commit: TableCommit) -> Result<Table> {
        self.catalog.update_table(commit).await
    }

    async fn list_namespaces(&self, parent: Option<&NamespaceIdent>) -> Result<Vec<NamespaceIdent>> {
        self.catalog.list_namespaces(parent).await
    }

    async fn create_namespace(
        &self,
        namespace: &NamespaceIdent,
        properties: HashMap<String, String>,
    ) -> Result<Namespace> {
        self.catalog.create_namespace(namespace, properties).await
    }

    async fn get_namespace(&self, namespace: &NamespaceIdent) -> Result<Namespace> {
        self.catalog.get_namespace(namespace).await
    }

    async fn namespace_exists(&self, namespace: &NamespaceIdent) -> Result<bool> {
        self.catalog.namespace_exists(namespace).await
    }

    async fn update_namespace(&self, namespace: &NamespaceIdent, properties: HashMap<String, String>) -> Result<()> {
        self.catalog.update_namespace(namespace, properties).await
    }

    async fn drop_namespace(&self, namespace: &NamespaceIdent) -> Result<()> {
        self.catalog.drop_namespace(namespace).await
    }

    async fn list_tables(&self, namespace: &NamespaceIdent) -> Result<Vec<TableIdent>> {
        self.catalog.list_tables(namespace).await
    }

    async fn create_table(&self, namespace: &NamespaceIdent, creation: TableCreation) -> Result<Table> {
        self.catalog.create_table(namespace, creation).await
    }

    async fn drop_table(&self, table: &TableIdent) -> Result<()> {
        self.catalog.drop_table(table).await
    }

    async fn purge_table(&self, table: &TableIdent) -> Result<()> {
        self.catalog.purge_table(table).await
    }

    async fn table_exists(&self, table: &TableIdent) -> Result<bool> {
        self.catalog.table_exists(table).await
    }

    async fn rename_table(&self, from: &TableIdent, to: &TableIdent) -> Result<()> {
        self.catalog.rename_table(from, to).await
    }

    async fn register_table(&self, table: &TableIdent, metadata_location: String) -> Result<Table> {
        self.catalog.register_table(table, metadata_location).await
    }
}
