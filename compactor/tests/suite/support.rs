//! A deterministic generator of events, and a lake in a folder of its own.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use compactor::{Compaction, Counts, Lake, MemoryRawLog, Options, RawLog, Summary};
use event::{COLUMNS, Event, EventIds, LINE_COLUMNS, Timestamp, Value};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::TryStreamExt;
use iceberg::table::Table;

/// `2026-11-20T00:00:00Z`, microseconds.
pub const DAY: i64 = 1_795_132_800_000_000;
pub const HOUR: i64 = 3_600_000_000;

pub fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

/// Splitmix64: small, and the same everywhere.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn bytes(&mut self) -> [u8; 16] {
        (u128::from(self.next()) << 64 | u128::from(self.next())).to_be_bytes()
    }
}

/// `count` events from `start` on, one every `step` microseconds, all different.
pub fn events(seed: u64, start: i64, step: i64, count: usize) -> Vec<Event> {
    let (mut random, mut ids) = (Random(seed), EventIds::default());
    (0..count as i64).map(|index| one_event(&mut random, &mut ids, at(start + index * step))).collect()
}

fn one_event(random: &mut Random, ids: &mut EventIds, received_at: Timestamp) -> Event {
    let task = random.below(3) == 0;
    let body = format!("{{\"title\":\"Grüße \\\"{}\\\"\",\"n\":{}}}", random.next(), random.next());
    Event {
        event_id: ids.next(received_at, random.bytes()),
        event_type: if task { "task.created" } else { "data.submitted" }.to_owned(),
        schema_version: 1,
        received_at,
        tenant: format!("tenant-{}", random.below(3)),
        request_id: format!("{:016x}", random.next()),
        trace_id: (random.below(2) == 0).then(|| format!("{:032x}", random.next())),
        actor_type: "api_key".to_owned(),
        user_id: Some(format!("user-{}", random.below(50))),
        method: "POST".to_owned(),
        path: "/data".to_owned(),
        request_bytes: body.len() as i64,
        request_body_encoding: "json".to_owned(),
        request_body_sha256: Some(event::sha256_hex(body.as_bytes())),
        request_body: Some(body),
        status: 201,
        duration_ms: random.below(10_000) as f64 / 100.0,
        response_bytes: (random.below(2) == 0).then(|| random.below(1_000) as i64),
        entity_id: task.then(|| format!("{}", random.next())),
        entity_version: task.then_some(1),
        cold_start: Some(random.below(2) == 0),
        service: "daybook".to_owned(),
        service_version: "0.1.0".to_owned(),
        environment: "test".to_owned(),
        ingest_path: "local".to_owned(),
        ..Event::default()
    }
    .sealed()
}

pub fn lines(events: &[Event]) -> Vec<u8> {
    events.iter().flat_map(|event| [event.to_line(), b"\n".to_vec()].concat()).collect()
}

pub fn gzip(text: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(text).unwrap();
    gzip.finish().unwrap()
}

pub fn key(hour: i64, name: &str) -> String {
    event::key::raw(at(DAY + hour * HOUR), name)
}

/// Bytes for batch ids, never the same within a process.
pub fn random() -> [u8; 16] {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    Random(next).bytes()
}

/// A lake in a temporary folder and a raw log in memory.
pub struct World {
    pub folder: tempfile::TempDir,
    pub lake: Lake,
    pub log: Arc<MemoryRawLog>,
}

impl World {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open(folder.path()).await.unwrap();
        Self { folder, lake, log: Arc::new(MemoryRawLog::new()) }
    }

    pub fn raw(&self) -> Arc<dyn RawLog> {
        self.log.clone()
    }

    pub fn put(&self, key: &str, bytes: impl Into<Vec<u8>>) {
        self.log.put(key, bytes.into(), at(DAY));
    }

    pub fn put_events(&self, key: &str, events: &[Event]) {
        self.put(key, gzip(&lines(events)));
    }

    pub fn compaction(&self) -> Compaction<'_> {
        Compaction::new(&self.lake, self.raw(), Options::default().forced())
    }

    pub async fn compact(&self) -> Summary {
        self.compaction().run(at(DAY), &random).await.unwrap()
    }

    pub async fn rows(&self) -> BTreeMap<String, Row> {
        rows(&self.lake.load().await.unwrap()).await
    }

    pub async fn counts(&self) -> Counts {
        compactor::counts(&self.lake.load().await.unwrap()).unwrap()
    }

    /// Checks I2, I7 and that the table has exactly these events.
    pub async fn check(&self, expect: &[Event]) {
        check_table(&self.lake, expect).await;
        let counts = self.counts().await;
        assert_eq!(counts.lines, counts.rows + counts.duplicates + counts.quarantined, "{counts:?}");
        assert_eq!(counts.rows + counts.gateway.rows, self.rows().await.len() as u64);
    }
}

pub async fn check_table(lake: &Lake, expect: &[Event]) {
    let found = rows(&lake.load().await.unwrap()).await;
    let expect: BTreeMap<String, Row> = expect.iter().map(|event| (event.event_id.to_string(), row(event))).collect();
    assert_eq!(found.len(), expect.len());
    for (id, row) in &expect {
        assert_eq!(found.get(id).map(|found| &found[..LINE_COLUMNS]), Some(&row[..]), "{id}");
    }
}

/// A row's values as text, in the order of the columns.
pub type Row = Vec<Option<String>>;

pub fn row(event: &Event) -> Row {
    let text = |value: Value<'_>| match value {
        Value::String(text) => text.to_owned(),
        Value::Id(id) => id.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Bigint(number) => number.to_string(),
        Value::Double(number) => format!("{number:?}"),
        Value::Boolean(truth) => truth.to_string(),
        Value::Timestamp(time) => time.to_string(),
    };
    event.values().map(|value| value.map(text)).to_vec()
}

/// All rows of a snapshot by event id; fails if one is there twice (I2) or a file is not sorted.
pub async fn rows(table: &Table) -> BTreeMap<String, Row> {
    let names: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
    let batches: Vec<RecordBatch> = compactor::scan(table, &names).await.unwrap().try_collect().await.unwrap();
    rows_of(&batches)
}

pub fn rows_of(batches: &[RecordBatch]) -> BTreeMap<String, Row> {
    let mut rows = BTreeMap::new();
    let options = FormatOptions::new().with_timestamp_format(Some("%Y-%m-%dT%H:%M:%S%.6fZ"));
    for batch in batches {
        assert_eq!(batch.num_columns(), COLUMNS.len());
        let columns: Vec<_> =
            batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
        for index in 0..batch.num_rows() {
            let value = |(column, formatter): (usize, &ArrayFormatter<'_>)| {
                (!batch.column(column).is_null(index)).then(|| formatter.value(index).to_string())
            };
            let row: Row = columns.iter().enumerate().map(value).collect();
            let id = row[0].clone().unwrap();
            assert!(rows.insert(id.clone(), row).is_none(), "{id} is there twice");
        }
    }
    rows
}

/// The names of the files below a folder.
pub fn files_below(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            files.extend(files_below(&entry.path()));
        } else {
            files.push(entry.path().to_str().unwrap().to_owned());
        }
    }
    files
}
