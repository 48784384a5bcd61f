//! `daybook compact`: brings what is pending into the table, now.

use std::process::ExitCode;
use std::time::Duration;

use bytesize::ByteSize;
use compactor::{Compaction, Counts, Gateway, GatewayCounts, Options, Pending, Progress, Summary, UpkeepSummary};
use event::Timestamp;
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::{CompactArgs, Format};
use crate::config::Config;
use crate::failure::Result;
use crate::output::print;
use crate::place::Place;

/// Relays, compacts and says what it did.
pub async fn run(config: &Config, args: &CompactArgs) -> Result<ExitCode> {
    let place = Place::of(config).await?;
    let default = Options::default();
    let options = Options {
        memory: config.memory,
        limits: config.limits,
        settle: args.settle.unwrap_or(default.settle),
        forced: !args.if_due,
        ..default
    };
    let format = args.output.format();
    let (summary, elapsed) = compact_all(&place, options, place.gateway(config)?, format == Format::Table).await?;
    // What is compacted is compacted: if upkeep fails, the next one does it.
    let upkeep = place.keep_up(config.memory).await.unwrap_or_else(|error| {
        tracing::error!(%error, "upkeep of the table failed; it goes on with the next run");
        UpkeepSummary::default()
    });
    let numbers = || json(&summary, &upkeep, elapsed);
    match format {
        Format::Table => {
            print(format!("{}\n{}", sentence(&summary, elapsed, place.now()), tidied(&upkeep)).as_bytes())?;
        }
        Format::Json | Format::Ndjson => print(format!("{}\n", numbers()).as_bytes())?,
        Format::Csv => print(csv(&numbers()).as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Compacts what is pending, with a bar on a terminal.
///
/// # Errors
/// The compactor's.
pub async fn compact_all(
    place: &Place,
    options: Options,
    gateway: Option<Gateway>,
    bar: bool,
) -> Result<(Summary, Duration)> {
    let lake = place.lake().await?;
    let system = place.system();
    let begun = (system.monotonic)();
    let elapsed = || Duration::from_micros((system.monotonic)().saturating_sub(begun));
    let bar = if bar { progress_bar() } else { ProgressBar::hidden() };
    let mut compaction = Compaction::new(&lake, place.raw(), options).with_report(|progress: Progress| {
        bar.set_length(progress.bytes_total);
        bar.set_position(progress.bytes_decoded);
        let events = per_second(progress.lines, elapsed());
        bar.set_message(format!("{} events, {events}/s, {} rows written", progress.lines, progress.rows_written));
    });
    if let Some(gateway) = gateway {
        compaction = compaction.with_gateway(gateway);
    }
    let summary = compaction.run(place.now(), &system.random).await?;
    bar.finish_and_clear();
    Ok((summary, elapsed()))
}

/// A bar on standard error; indicatif shows none unless that is a terminal.
fn progress_bar() -> ProgressBar {
    let style = "{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}; {msg}; {eta} left";
    let style = ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style)
}

/// How many a second; all of them, if it took no time.
pub fn per_second(count: u64, elapsed: Duration) -> u64 {
    let micros = elapsed.as_micros().max(1);
    u64::try_from(u128::from(count) * 1_000_000 / micros).unwrap_or(u64::MAX)
}

/// What a compaction did, in one line.
pub fn sentence(summary: &Summary, elapsed: Duration, now: Timestamp) -> String {
    let counts = summary.counts;
    if counts == Counts::default() {
        return match summary.left.objects {
            0 => "Nothing is pending.".to_owned(),
            _ => format!("Nothing is due: {} pending.", pending(&summary.left, now)),
        };
    }
    let gateway = counts.gateway;
    let folded = if gateway == GatewayCounts::default() {
        String::new()
    } else {
        format!(
            " Of the gateway's log {} lines: {} rows, {} with an event, {} duplicates, {} quarantined, {} put off.",
            gateway.lines, gateway.rows, gateway.answered, gateway.duplicates, gateway.quarantined, gateway.deferred
        )
    };
    format!(
        "{} raw objects ({}) with {} lines: {} rows in {} new files ({}), {} duplicates, {} quarantined; {} commits, {:.1} s, {} events/s.{folded}",
        counts.objects,
        ByteSize(summary.bytes_in),
        counts.lines,
        counts.rows,
        summary.files,
        ByteSize(summary.bytes_out),
        counts.duplicates,
        counts.quarantined,
        summary.commits,
        elapsed.as_secs_f64(),
        per_second(counts.lines, elapsed),
    )
}

/// What upkeep did, in one line; nothing if that is nothing.
fn tidied(upkeep: &UpkeepSummary) -> String {
    if !upkeep.changed_anything() {
        return String::new();
    }
    format!(
        "Upkeep: {} data files are {} now, {} snapshots expired, {} files removed ({}).\n",
        upkeep.files_before,
        upkeep.files_after,
        upkeep.snapshots_expired,
        upkeep.files_removed,
        ByteSize(upkeep.bytes_removed),
    )
}

/// What is pending, for people.
pub fn pending(pending: &Pending, now: Timestamp) -> String {
    let waits = humantime::format_duration(Duration::from_secs(pending.lag(now).as_secs()));
    format!("{} objects ({}), the oldest for {waits},", pending.objects, ByteSize(pending.bytes))
}

fn json(summary: &Summary, upkeep: &UpkeepSummary, elapsed: Duration) -> serde_json::Value {
    let counts = summary.counts;
    serde_json::json!({
        "objects": counts.objects,
        "lines": counts.lines,
        "rows": counts.rows,
        "duplicates": counts.duplicates,
        "quarantined": counts.quarantined,
        "gateway_objects": counts.gateway.objects,
        "gateway_lines": counts.gateway.lines,
        "gateway_rows": counts.gateway.rows,
        "gateway_answered": counts.gateway.answered,
        "gateway_duplicates": counts.gateway.duplicates,
        "gateway_quarantined": counts.gateway.quarantined,
        "gateway_deferred": counts.gateway.deferred,
        "gateway_settled": counts.gateway.settled,
        "files": summary.files,
        "bytes_in": summary.bytes_in,
        "bytes_out": summary.bytes_out,
        "commits": summary.commits,
        "overtaken": summary.overtaken,
        "rows_rewritten": upkeep.rows_rewritten,
        "snapshots_expired": upkeep.snapshots_expired,
        "files_removed": upkeep.files_removed,
        "bytes_removed": upkeep.bytes_removed,
        "left_objects": summary.left.objects,
        "left_bytes": summary.left.bytes,
        "events_per_s": per_second(counts.lines, elapsed),
        "elapsed_ms": u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
    })
}

/// A line of names and a line of their numbers.
fn csv(sums: &serde_json::Value) -> String {
    let sums: Vec<_> = sums.as_object().into_iter().flatten().collect();
    let names: Vec<&str> = sums.iter().map(|(name, _)| name.as_str()).collect();
    let numbers: Vec<String> = sums.iter().map(|(_, number)| number.to_string()).collect();
    format!("{}\r\n{}\r\n", names.join(","), numbers.join(","))
}
