//! `bench compact DIR`: the product's own compaction of all that is under `DIR/raw`, with what it came to as JSON.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytesize::ByteSize;
use clap::Args;
use compactor::lake::data_files;
use compactor::{Compaction, DirRawLog, Lake, Options, Profile, RawLog, Stage, counts, table_rows};
use event::{Timestamp, key};
use ingest::System;
use serde_json::{Value, json};

use crate::Failure;

/// What to compact.
#[derive(Debug, Args)]
pub struct Compact {
    /// Holds raw/, gets lake/
    folder: PathBuf,
    /// What the compaction may use, such as 256MiB; the default is the product's
    #[arg(long, value_name = "SIZE")]
    memory: Option<ByteSize>,
    /// Threads that compute; the default is the product's
    #[arg(long)]
    threads: Option<usize>,
}

/// Compacts, forced, and says what that came to: of this run, and of the table after it.
pub async fn compact(args: &Compact) -> Result<Value, Failure> {
    let mut options = Options::default().forced();
    if let Some(memory) = args.memory {
        options.memory = memory.as_u64();
    }
    options.threads = args.threads.unwrap_or(options.threads);
    let raw: Arc<dyn RawLog> = Arc::new(DirRawLog::new(&args.folder));
    let now = end_of_last_day(&raw).await?;
    let system = System::real();
    let begun = (system.monotonic)();
    let profile = Profile::new(system.monotonic);
    let lake = Lake::open(&args.folder).await?;
    let summary = Compaction::new(&lake, raw, options).with_profile(profile.clone()).run(now, &system.random).await?;
    let micros = (system.monotonic)().saturating_sub(begun);
    Ok(json!({
        "seconds": micros as f64 / 1e6,
        "objects": summary.counts.objects,
        "lines": summary.counts.lines,
        "rows": summary.counts.rows,
        "duplicates": summary.counts.duplicates,
        "quarantined": summary.counts.quarantined,
        "files": summary.files,
        "bytes_in": summary.bytes_in,
        "bytes_out": summary.bytes_out,
        "commits": summary.commits,
        "left": summary.left.objects,
        "stages": stages(&profile),
        "table": table(&lake, &args.folder).await?,
    }))
}

/// Seconds of each stage, all threads together; each is a stage's own, without those that are parts of it.
fn stages(profile: &Profile) -> Value {
    let spent = |stage| profile.spent(stage) as f64 / 1e6;
    json!({
        "fetch": spent(Stage::Fetch),
        "inflate and index": spent(Stage::Load),
        "sort": spent(Stage::Sort),
        "look up": spent(Stage::LookUp),
        "decode": spent(Stage::Convert) - spent(Stage::LookUp) - spent(Stage::Encode),
        "encode": spent(Stage::Encode),
        "write": spent(Stage::Write),
        "commit": spent(Stage::Commit),
    })
}

/// A time at which all objects have arrived, the same in every run.
async fn end_of_last_day(raw: &Arc<dyn RawLog>) -> Result<Timestamp, Failure> {
    let objects = raw.list(None).await?;
    let last = objects.iter().filter_map(|object| key::arrival_day(&object.key)).max().ok_or("nothing under raw/")?;
    Ok(Timestamp::parse(&format!("{last}T23:59:59.999999Z"))?)
}

/// The table by its own account, and its live data files.
async fn table(lake: &Lake, folder: &Path) -> Result<Value, Failure> {
    let table = lake.load().await?;
    let mut files: Vec<(String, u64)> = data_files(&table)
        .await?
        .iter()
        .map(|file| (file.file_path().trim_start_matches("file://").to_owned(), file.file_size_in_bytes()))
        .collect();
    files.sort();
    let counts = counts(&table)?;
    if counts.lines != counts.rows + counts.duplicates + counts.quarantined {
        return Err(format!("{}: the table's counts do not add up: {counts:?}", folder.display()).into());
    }
    Ok(json!({
        "rows": table_rows(&table).await?,
        "lines": counts.lines,
        "duplicates": counts.duplicates,
        "quarantined": counts.quarantined,
        "files": files.into_iter().map(|(path, bytes)| json!({"path": path, "bytes": bytes})).collect::<Vec<_>>(),
    }))
}
