//! What is on disk, read without the program: raw objects by a gzip decoder, the table by the compactor's library.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};
use compactor::Lake;
use event::Event;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use futures::TryStreamExt;

/// The part of an event that the tests compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    pub event_id: String,
    pub event_type: String,
    pub tenant: String,
    pub method: String,
    pub path: String,
    pub status: u16,
    pub user_agent: Option<String>,
    pub body: Option<String>,
    pub body_sha256: Option<String>,
    pub body_ref: Option<String>,
    pub entity_id: Option<String>,
    pub version: Option<i64>,
}

const COLUMNS: &[&str] = &[
    "event_id",
    "event_type",
    "tenant",
    "method",
    "path",
    "status",
    "user_agent",
    "request_body",
    "request_body_sha256",
    "request_body_ref",
    "entity_id",
    "entity_version",
];

impl Logged {
    /// Whether the event changed something: what a repeated request must not do twice.
    pub fn is_change(&self) -> bool {
        !self.event_type.starts_with("request.")
    }
}

impl From<Event> for Logged {
    fn from(event: Event) -> Self {
        Self {
            event_id: event.event_id.to_string(),
            event_type: event.event_type,
            tenant: event.tenant,
            method: event.method,
            path: event.path,
            status: u16::try_from(event.status).unwrap(),
            user_agent: event.user_agent,
            body: event.request_body,
            body_sha256: event.request_body_sha256,
            body_ref: event.request_body_ref,
            entity_id: event.entity_id,
            version: event.entity_version,
        }
    }
}

/// Every row of the table.
pub fn table_rows(data: &Path) -> Vec<Logged> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let table = Lake::open(data).await.unwrap().load().await.unwrap();
        let batches: Vec<RecordBatch> = compactor::scan(&table, COLUMNS).await.unwrap().try_collect().await.unwrap();
        batches.iter().flat_map(|batch| (0..batch.num_rows()).map(|row| logged(batch, row))).collect()
    })
}

fn logged(batch: &RecordBatch, row: usize) -> Logged {
    let text = |name: &str| {
        let column = batch.column_by_name(name).unwrap();
        column.is_valid(row).then(|| column.as_string::<i32>().value(row).to_owned())
    };
    let version = batch.column_by_name("entity_version").unwrap();
    let status = batch.column_by_name("status").unwrap().as_primitive::<Int32Type>().value(row);
    Logged {
        event_id: text("event_id").unwrap(),
        event_type: text("event_type").unwrap(),
        tenant: text("tenant").unwrap(),
        method: text("method").unwrap(),
        path: text("path").unwrap(),
        status: u16::try_from(status).unwrap(),
        user_agent: text("user_agent"),
        body: text("request_body"),
        body_sha256: text("request_body_sha256"),
        body_ref: text("request_body_ref"),
        entity_id: text("entity_id"),
        version: version.is_valid(row).then(|| version.as_primitive::<Int64Type>().value(row)),
    }
}

/// Every line of every raw object.
pub fn raw_events(data: &Path) -> Vec<Logged> {
    raw_log(data).into_iter().map(Logged::from).collect()
}

/// Every line of every raw object, as it is.
pub fn raw_log(data: &Path) -> Vec<Event> {
    let lines = raw_objects(data).into_iter().flat_map(|path| {
        let text = inflate(&path);
        text.lines().map(|line| Event::from_line(line.as_bytes()).unwrap()).collect::<Vec<_>>()
    });
    lines.collect()
}

/// The raw objects' paths, in order.
pub fn raw_objects(data: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![data.join("raw")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "gz") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Writes every raw object anew, with the lines that `keep` wants.
pub fn rewrite_raw(data: &Path, keep: impl Fn(&Event) -> bool) {
    for path in raw_objects(data) {
        let text = inflate(&path);
        let mut out = GzEncoder::new(Vec::new(), Compression::fast());
        for line in text.lines().filter(|line| keep(&Event::from_line(line.as_bytes()).unwrap())) {
            writeln!(out, "{line}").unwrap();
        }
        fs::write(&path, out.finish().unwrap()).unwrap();
    }
}

fn inflate(path: &Path) -> String {
    let mut text = String::new();
    MultiGzDecoder::new(fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text
}
