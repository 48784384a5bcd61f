//! Upkeep: fewer files, the same rows, whatever happens in between.

mod concurrency;
mod crash;
mod expiry;
mod orphans;
mod properties;
mod rewrite;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use compactor::lake::{ConsumedSet, data_files};
use compactor::{Upkeep, UpkeepOptions, UpkeepSummary, scan};
use event::{COLUMNS, Event, Timestamp, sha256_hex};
use futures::TryStreamExt;
use iceberg::table::Table;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use crate::support::{World, at, events, files_below, key, random, rows, rows_of};

/// `2020-01-01T00:00:00Z`, microseconds: a day that is settled whenever the tests run.
pub const OLD: i64 = 1_577_836_800_000_000;
pub const ONE_DAY: i64 = 86_400_000_000;
pub const MINUTE: i64 = 60_000_000;

/// The time, since that is what files on disk and snapshots are dated by.
#[expect(clippy::disallowed_methods, reason = "what is on disk has the disk's own time")]
pub fn now() -> Timestamp {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    at(i64::try_from(now.as_micros()).unwrap())
}

/// Nothing is kept that need not be.
pub fn at_once() -> UpkeepOptions {
    UpkeepOptions { keep: Duration::ZERO, keep_least: 1, grace: Duration::ZERO, ..UpkeepOptions::default() }
}

pub fn upkeep(world: &World, options: UpkeepOptions) -> Upkeep<'_> {
    Upkeep::new(&world.lake, world.folder.path(), options).unwrap()
}

/// A run that ends well, some time after everything that is there was written.
pub async fn keep_up(world: &World, options: UpkeepOptions) -> UpkeepSummary {
    tokio::time::sleep(Duration::from_millis(15)).await;
    upkeep(world, options).run(now(), &random).await.unwrap()
}

/// Two runs: what the first lets go of, the second may delete. Nothing is left but what the table names.
pub async fn tidy(world: &World) -> UpkeepSummary {
    let first = keep_up(world, at_once()).await;
    keep_up(world, at_once()).await;
    assert_eq!(unnamed(world).await, Vec::<PathBuf>::new());
    first
}

/// The same after one more commit, on a day of its own: what is younger than the last one may still be under way.
pub async fn tidy_after_a_commit(world: &World) -> Vec<Event> {
    let more = events(4_711, OLD + 20 * ONE_DAY, 1_000, 10);
    world.put_events(&key(30, "more"), &more);
    assert_eq!(world.compact().await.commits, 1);
    tidy(world).await;
    more
}

/// `commits` commits of 20 events each, from `start` on; the events of each are spread over `span` microseconds.
pub async fn commit_each(world: &World, seed: u64, start: i64, span: i64, commits: usize) -> Vec<Event> {
    let mut all = Vec::new();
    for index in 0..commits {
        let some = events(seed * 1_000 + index as u64, start + index as i64 * 7, span / 20, 20);
        world.put_events(&key(index as i64 % 20, &format!("{seed}-{index}")), &some);
        assert_eq!(world.compact().await.commits, 1);
        all.extend(some);
    }
    all
}

/// SHA-256 over all columns of all rows, in order of their ids.
pub async fn hash(table: &Table) -> String {
    let text: Vec<String> = rows(table).await.values().map(|row| format!("{row:?}")).collect();
    sha256_hex(text.join("\n").as_bytes())
}

/// What a table says that no upkeep may change.
pub async fn essence(world: &World) -> (String, BTreeMap<String, String>, ConsumedSet) {
    let table = world.lake.load().await.unwrap();
    let properties = table.metadata().properties().clone().into_iter().collect();
    (hash(&table).await, properties, ConsumedSet::of(&table).await.unwrap())
}

pub async fn file_count(world: &World) -> usize {
    data_files(&world.lake.load().await.unwrap()).await.unwrap().len()
}

/// A snapshot of the table, as someone who travels in time reads it.
pub fn as_of(table: &Table, snapshot: i64) -> Table {
    let builder = table.metadata().clone().into_builder(None);
    let reference = iceberg::spec::SnapshotReference::new(
        snapshot,
        iceberg::spec::SnapshotRetention::Branch {
            min_snapshots_to_keep: None,
            max_snapshot_age_ms: None,
            max_ref_age_ms: None,
        },
    );
    let metadata = builder.set_ref("main", reference).unwrap().build().unwrap().metadata;
    Table::builder()
        .file_io(table.file_io().clone())
        .identifier(table.identifier().clone())
        .metadata_location(table.metadata_location().unwrap())
        .metadata(metadata)
        .runtime(iceberg::Runtime::try_current().unwrap())
        .build()
        .unwrap()
}

/// Reads every snapshot that the table has, and holds it against what its own summary says.
pub async fn check_every_snapshot(table: &Table) {
    for snapshot in table.metadata().snapshots() {
        let found = rows(&as_of(table, snapshot.snapshot_id())).await.len();
        let says = &snapshot.summary().additional_properties["total-records"];
        assert_eq!(found.to_string(), *says, "snapshot {}", snapshot.snapshot_id());
    }
}

/// Rows of the current snapshot in the order in which they are read.
pub async fn in_order(table: &Table) -> Vec<(String, String)> {
    let batches: Vec<_> = scan(table, &["event_id", "received_at"]).await.unwrap().try_collect().await.unwrap();
    let mut keys = Vec::new();
    for batch in &batches {
        for index in 0..batch.num_rows() {
            let text =
                |column: usize| arrow::util::display::array_value_to_string(batch.column(column), index).unwrap();
            keys.push((text(1), text(0)));
        }
    }
    keys
}

/// The files in the lake that are neither the catalog nor named by the table, by any of its snapshots or its log.
pub async fn unnamed(world: &World) -> Vec<PathBuf> {
    let table = world.lake.load().await.unwrap();
    let named = named(&table).await;
    let on_disk: BTreeSet<String> = files_below(&world.folder.path().join("lake")).into_iter().collect();
    let missing: Vec<_> = named.difference(&on_disk).collect();
    assert!(missing.is_empty(), "dangling: {missing:?}");
    let strangers = on_disk.difference(&named).filter(|path| !path.contains("/lake/catalog.db"));
    strangers.map(PathBuf::from).collect()
}

async fn named(table: &Table) -> BTreeSet<String> {
    let metadata = table.metadata();
    let mut named: BTreeSet<String> = metadata.metadata_log().iter().map(|entry| entry.metadata_file.clone()).collect();
    named.insert(table.metadata_location().unwrap().to_owned());
    named.extend(metadata.properties().get("daybook.consumed").cloned());
    for snapshot in metadata.snapshots() {
        named.insert(snapshot.manifest_list().to_owned());
        let list = table.manifest_list_reader(snapshot).load().await.unwrap();
        for manifest in list.entries() {
            named.insert(manifest.manifest_path.clone());
            let entries = manifest.load_manifest(table.file_io()).await.unwrap();
            named.extend(entries.entries().iter().filter(|e| e.is_alive()).map(|entry| entry.file_path().to_owned()));
        }
    }
    named
}

/// Makes every file of the lake older than it is.
pub fn age(world: &World, by: Duration) {
    for path in files_below(&world.folder.path().join("lake")) {
        if !path.contains("catalog.db") {
            age_file(Path::new(&path), by);
        }
    }
}

pub fn age_file(path: &Path, by: Duration) {
    let modified = std::fs::metadata(path).unwrap().modified().unwrap();
    std::fs::File::options().write(true).open(path).unwrap().set_modified(modified - by).unwrap();
}

pub async fn catalog(world: &World) -> SqliteConnection {
    let path = world.folder.path().join("lake/catalog.db");
    SqliteConnectOptions::new().filename(path).busy_timeout(Duration::from_secs(10)).connect().await.unwrap()
}

pub async fn sql(world: &World, statement: &str) {
    let mut connection = catalog(world).await;
    sqlx::query(statement).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// All rows of one Parquet file, by event id.
pub fn rows_of_file(path: &Path) -> usize {
    let file = std::fs::File::open(path).unwrap();
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    let batches: Vec<_> = reader.map(|batch| batch.unwrap()).collect();
    assert!(batches.iter().all(|batch| batch.num_columns() == COLUMNS.len()));
    rows_of(&batches).len()
}
