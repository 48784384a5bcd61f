//! A catalog that fails once, in one of the ways in which catalogs fail.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures::future::BoxFuture;
use iceberg::table::Table;
use iceberg::{Catalog, Namespace, NamespaceIdent, Result, TableCommit, TableCreation, TableIdent};

/// What happens to the first commit.
pub enum Fault {
    /// It is made, and an error is returned.
    LosesAnswer,
    /// It is not made, and an error is returned.
    LosesRequest,
    /// It is not made, and success is returned.
    Pretends,
    /// Something else happens just before it.
    Intrudes(Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>),
}

pub struct FaultyCatalog {
    inner: Arc<dyn Catalog>,
    fault: Fault,
    armed: AtomicBool,
}

impl FaultyCatalog {
    pub fn new(inner: Arc<dyn Catalog>, fault: Fault) -> Self {
        Self { inner, fault, armed: AtomicBool::new(true) }
    }
}

impl fmt::Debug for FaultyCatalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultyCatalog")
    }
}

#[async_trait]
impl Catalog for FaultyCatalog {
    async fn update_table(&self, commit: TableCommit) -> Result<Table> {
        if !self.armed.swap(false, Ordering::Relaxed) {
            return self.inner.update_table(commit).await;
        }
        match &self.fault {
            Fault::LosesRequest => {}
            Fault::LosesAnswer => drop(self.inner.update_table(commit).await?),
            Fault::Pretends => return self.inner.load_table(commit.identifier()).await,
            Fault::Intrudes(intrude) => {
                intrude().await;
                return self.inner.update_table(commit).await;
            }
        }
        Err(iceberg::Error::new(iceberg::ErrorKind::Unexpected, "the answer was lost"))
    }
    async fn load_table(&self, table: &TableIdent) -> Result<Table> {
        self.inner.load_table(table).await
    }
    async fn table_exists(&self, table: &TableIdent) -> Result<bool> {
        self.inner.table_exists(table).await
    }
    async fn list_namespaces(&self, parent: Option<&NamespaceIdent>) -> Result<Vec<NamespaceIdent>> {
        self.inner.list_namespaces(parent).await
    }
    async fn create_namespace(&self, name: &NamespaceIdent, with: HashMap<String, String>) -> Result<Namespace> {
        self.inner.create_namespace(name, with).await
    }
    async fn get_namespace(&self, name: &NamespaceIdent) -> Result<Namespace> {
        self.inner.get_namespace(name).await
    }
    async fn namespace_exists(&self, name: &NamespaceIdent) -> Result<bool> {
        self.inner.namespace_exists(name).await
    }
    async fn update_namespace(&self, name: &NamespaceIdent, with: HashMap<String, String>) -> Result<()> {
        self.inner.update_namespace(name, with).await
    }
    async fn drop_namespace(&self, name: &NamespaceIdent) -> Result<()> {
        self.inner.drop_namespace(name).await
    }
    async fn list_tables(&self, name: &NamespaceIdent) -> Result<Vec<TableIdent>> {
        self.inner.list_tables(name).await
    }
    async fn create_table(&self, name: &NamespaceIdent, creation: TableCreation) -> Result<Table> {
        self.inner.create_table(name, creation).await
    }
    async fn drop_table(&self, table: &TableIdent) -> Result<()> {
        self.inner.drop_table(table).await
    }
    async fn purge_table(&self, table: &TableIdent) -> Result<()> {
        self.inner.purge_table(table).await
    }
    async fn rename_table(&self, from: &TableIdent, to: &TableIdent) -> Result<()> {
        self.inner.rename_table(from, to).await
    }
    async fn register_table(&self, table: &TableIdent, location: String) -> Result<Table> {
        self.inner.register_table(table, location).await
    }
}
