//! The same events in two places: a lake of the compactor's, which the local engine reads, and a table of Trino's.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use compactor::{Compaction, Lake, MemoryRawLog, Options, RawLog};
use event::{COLUMNS, ColumnType, Event, Timestamp, key};
use query::aws::{AthenaEngine, Settings};
use query::local::{Limits, LocalEngine, Select, Snapshot};
use query::{Cell, NamedQuery, Rows, Scope, named};
use rig::athena::Athena;
use rig::trino::Trino;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// How many events there are.
pub const EVENTS: usize = 20_000;
/// Trino's schema, Athena's database.
pub const SCHEMA: &str = "lake";
/// Commits that the lake is made of.
const COMMITS: usize = 5;
/// Rows of a statement that loads some.
const BATCH: usize = 1_000;
/// What `now` is to the events.
const NOW: &str = "2026-11-20T12:00:00Z";

pub struct World {
    pub trino: Trino,
    /// All rows, as the local engine reads them, by their event's id.
    pub rows: Rows,
    folder: TempDir,
}

static WORLD: OnceCell<World> = OnceCell::const_new();

/// The one world of all tests; the first that asks makes it.
pub async fn world() -> &'static World {
    WORLD.get_or_init(World::make).await
}

pub fn now() -> Timestamp {
    Timestamp::parse(NOW).unwrap()
}

impl World {
    async fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fill(&folder, &events()).await;
        let all = Select::parse("select * from requests order by event_id").unwrap();
        let rows = local(&folder).await.select(&all).await.unwrap();
        let trino = Trino::from_environment().unwrap();
        load(&trino, &rows).await;
        Self { trino, rows, folder }
    }

    /// The engine of one machine. Each test has its own: a table that was opened in another test's runtime ends with that.
    pub async fn local(&self) -> LocalEngine {
        local(&self.folder).await
    }

    /// A stand-in for Athena over the world's Trino, and an engine that asks it.
    pub async fn athena(&self, change: impl FnOnce(&mut Settings)) -> (Athena, AthenaEngine) {
        let athena = Athena::start(self.trino.clone()).await.unwrap();
        let mut settings = Settings::new("daybook", SCHEMA);
        settings.rows = 10 * EVENTS;
        change(&mut settings);
        let engine = AthenaEngine::connect(&athena.config(&cloud::sdk::config().await), settings);
        (athena, engine)
    }
}

/// The events that `many.py` makes.
fn events() -> Vec<Event> {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../query/tests/golden/many.py");
    let output = Command::new("python3").arg(script).arg(EVENTS.to_string()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let events: Vec<Event> = lines.map(|line| Event::from_line(line).unwrap()).collect();
    assert_eq!(events.len(), EVENTS);
    events
}

async fn local(folder: &TempDir) -> LocalEngine {
    let table = Lake::open(folder.path()).await.unwrap().load().await.unwrap();
    let limits = Limits { rows: 10 * EVENTS, timeout: Duration::from_secs(120), ..Limits::default() };
    LocalEngine::new(Snapshot { table, tail: vec![] }, limits).unwrap()
}

/// Makes a lake of several commits, each of the next days and some minutes after its newest event.
async fn fill(folder: &TempDir, events: &[Event]) {
    let lake = Lake::open(folder.path()).await.unwrap();
    for (number, events) in events.chunks(events.len().div_ceil(COMMITS)).enumerate() {
        let arrived = Timestamp::from_micros(events.last().unwrap().received_at.micros() + 20 * 60_000_000 + 7);
        let log = Arc::new(MemoryRawLog::new());
        let lines: Vec<u8> = events.iter().flat_map(|event| [event.to_line(), vec![b'\n']].concat()).collect();
        log.put(key::raw(arrived, &format!("part-{number}")), lines, arrived);
        let raw: Arc<dyn RawLog> = log;
        let done = Compaction::new(&lake, raw, Options::default().forced()).run(arrived, &random).await.unwrap();
        assert_eq!(done.commits, 1, "{done:?}");
    }
}

fn random() -> [u8; 16] {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    u128::from(NEXT.fetch_add(1, Ordering::Relaxed))
        .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
        .to_be_bytes()
}

/// Makes the table as `athena/tables` declares it and gives it the rows.
async fn load(trino: &Trino, rows: &Rows) {
    trino.run(SCHEMA, &format!("create schema {SCHEMA}")).await.unwrap();
    trino.run(SCHEMA, &declaration()).await.unwrap();
    for batch in rows.rows.chunks(BATCH) {
        trino.run(SCHEMA, &insertion(batch)).await.unwrap();
    }
}

/// Athena's statement for `requests` in Trino's words: other names of types and no storage.
fn declaration() -> String {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../athena/tables/tables.sql");
    let text = std::fs::read_to_string(file).unwrap();
    let (_, statement) = text.split_once("CREATE TABLE ${database}.requests (\n").unwrap();
    let (columns, _) = statement.split_once("\n)\n").unwrap();
    let kind = |hive: &str| {
        match hive {
            "string" => "varchar",
            "int" => "integer",
            "timestamp" => "timestamp(6)",
            "bigint" | "double" | "boolean" => hive,
            other => panic!("no Trino type for {other}"),
        }
        .to_owned()
    };
    let column = |line: &str| {
        let (name, rest) = line.trim().trim_start_matches('`').split_once("` ").unwrap();
        let (hive, comment) = rest.split_once(' ').unwrap();
        format!("\"{name}\" {} {}", kind(hive), comment.trim_end_matches(','))
    };
    let columns: Vec<String> = columns.lines().map(column).collect();
    assert_eq!(columns.len(), COLUMNS.len());
    format!("create table requests ({})", columns.join(", "))
}

/// Rows as one JSON text that Trino takes apart: thousands of typed literals would be planned one by one.
fn insertion(rows: &[Vec<Cell>]) -> String {
    let rows: Vec<Vec<Value>> = rows.iter().map(|row| row.iter().map(json_of).collect()).collect();
    let text = serde_json::to_string(&rows).unwrap().replace('\'', "''");
    let typed = |column: &event::Column| match column.kind {
        ColumnType::String | ColumnType::Timestamp => format!("{} varchar", column.name),
        ColumnType::Int => format!("{} integer", column.name),
        ColumnType::Bigint => format!("{} bigint", column.name),
        ColumnType::Double => format!("{} double", column.name),
        ColumnType::Boolean => format!("{} boolean", column.name),
    };
    let selected = |column: &event::Column| match column.kind {
        ColumnType::Timestamp => format!("cast({} as timestamp(6))", column.name),
        _ => column.name.to_owned(),
    };
    let types: Vec<String> = COLUMNS.iter().map(typed).collect();
    let values: Vec<String> = COLUMNS.iter().map(selected).collect();
    format!(
        "insert into requests select {} from unnest(cast(json_parse('{text}') as array(row({}))))",
        values.join(", "),
        types.join(", "),
    )
}

fn json_of(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Text(text) => json!(text),
        Cell::Int(number) => json!(number),
        Cell::Float(number) => json!(number),
        Cell::Bool(value) => json!(value),
        Cell::Timestamp(time) => json!(time.to_string().replace('T', " ").replace('Z', "")),
    }
}

/// A query of the tests' own.
pub fn query_of(sql: impl Into<String>) -> NamedQuery {
    let sql: &'static str = sql.into().leak();
    NamedQuery { name: "test", question: "?", grain: "?", params: vec![], sql }
}

/// Its parameters, of which there are none.
pub fn nothing(query: &NamedQuery) -> query::Params {
    query.bind([], &Scope::operator(now())).unwrap()
}

/// The named query, or what it would be with other SQL.
pub fn with_sql(query: &NamedQuery, sql: String) -> NamedQuery {
    named::parse(&format!("{}.sql", query.name), sql.leak()).unwrap()
}
