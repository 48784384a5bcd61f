//! Killed between any two steps, and answers that are lost.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use async_trait::async_trait;
use compactor::{Compaction, Error, ErrorKind, Lake, Options, Step};
use iceberg::table::Table;
use iceberg::{Catalog, Namespace, NamespaceIdent, Result, TableCommit, TableCreation, TableIdent};

use crate::support::{DAY, World, at, events, key, random};

const STEPS: [Step; 6] = [Step::Planned, Step::Decoded, Step::Merged, Step::Written, Step::Consumed, Step::Committed];

#[tokio::test]
async fn killed_between_any_two_steps_the_next_run_makes_the_table_of_a_clean_one() {
    for step in STEPS {
        for chunk in 0..3 {
            let world = World::new().await;
            let input = events(1, DAY, 1_000_000, 600);
            for (index, part) in input.chunks(200).enumerate() {
                world.put_events(&key(index as i64, "a"), part);
            }
            world.put_events(&key(9, "again"), &input[150..250]);
            let passed = AtomicU32::new(0);
            let failpoint = |at: Step| {
                if at == step && passed.fetch_add(1, Ordering::Relaxed) == chunk {
                    return Err(Error::new(ErrorKind::Stopped, "killed"));
                }
                Ok(())
            };
            let options = Options { memory: 1, ..Options::default().forced() };
            let killed = Compaction::new(&world.lake, world.raw(), options).with_failpoint(failpoint);
            let killed = killed.run(at(DAY), &random).await;
            if chunk == 0 {
                assert_eq!(killed.unwrap_err().kind(), ErrorKind::Stopped, "{step:?}");
            }
            world.compact().await;
            world.check(&input).await;
            let counts = world.counts().await;
            assert_eq!((counts.objects, counts.lines, counts.duplicates), (4, 700, 100), "{step:?} of chunk {chunk}");
        }
    }
}

#[tokio::test]
async fn dropped_at_any_point_it_loses_nothing() {
    let world = World::new().await;
    let input = events(2, DAY, 1_000_000, 2_000);
    for (index, part) in input.chunks(100).enumerate() {
        world.put_events(&key(index as i64, "a"), part);
    }
    for micros in (0..40).map(|step| step * 1_500) {
        let run = world.compaction();
        let run = run.run(at(DAY), &random);
        let _ = tokio::time::timeout(std::time::Duration::from_micros(micros), run).await;
    }
    world.compact().await;
    world.check(&input).await;
    assert_eq!(world.counts().await.objects, 20);
}

/// A catalog whose answers to commits get lost, before or after they were applied.
#[derive(Debug)]
struct Lossy {
    inner: Arc<dyn Catalog>,
    applies: bool,
    lossy: AtomicBool,
}

#[async_trait]
impl Catalog for Lossy {
    async fn update_table(&self, commit: TableCommit) -> Result<Table> {
        if !self.lossy.swap(false, Ordering::Relaxed) {
            return self.inner.update_table(commit).await;
        }
        if self.applies {
            self.inner.update_table(commit).await?;
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

#[tokio::test]
async fn an_answer_lost_after_the_commit_is_a_commit() {
    let world = World::new().await;
    let catalog = Lossy { inner: world.lake.catalog().clone(), applies: true, lossy: AtomicBool::new(true) };
    let lake = Lake::with_catalog(Arc::new(catalog)).await.unwrap();
    let input = events(3, DAY, 1, 100);
    world.put_events(&key(0, "a"), &input);
    let options = Options::default().forced();
    let summary = Compaction::new(&lake, world.raw(), options).run(at(DAY), &random).await.unwrap();
    assert_eq!((summary.commits, summary.counts.rows), (1, 100));
    assert_eq!(world.compact().await.commits, 0);
    world.check(&input).await;
}

#[tokio::test]
async fn a_commit_that_failed_for_good_is_an_error_and_can_be_repeated() {
    let world = World::new().await;
    let catalog = Lossy { inner: world.lake.catalog().clone(), applies: false, lossy: AtomicBool::new(true) };
    let lake = Lake::with_catalog(Arc::new(catalog)).await.unwrap();
    let input = events(4, DAY, 1, 100);
    world.put_events(&key(0, "a"), &input);
    let run = Compaction::new(&lake, world.raw(), Options::default().forced());
    let error = run.run(at(DAY), &random).await.unwrap_err();
    assert!(error.is_retryable() && error.to_string().contains("the answer was lost"), "{error}");
    assert_eq!(run.run(at(DAY), &random).await.unwrap().counts.rows, 100);
    world.check(&input).await;
}
