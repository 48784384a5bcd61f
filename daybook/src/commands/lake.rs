//! `daybook lake`: the table at a glance, from metadata alone.

use std::process::ExitCode;

use bytesize::ByteSize;
use comfy_table::CellAlignment;
use compactor::{DayFacts, GatewayCounts, LakeFacts, Pending};
use event::Timestamp;
use query::{Cell, CellKind, RowColumn, Rows};
use serde_json::json;

use crate::cli::{Format, LakeArgs};
use crate::config::Config;
use crate::failure::Result;
use crate::output::{print, print_rows, table};
use crate::place::Place;
use crate::terminal::escape;
use crate::zone::Zone;

/// What is known at one moment.
struct Glance {
    facts: LakeFacts,
    pending: Pending,
    now: Timestamp,
}

/// Prints the facts.
pub async fn run(config: &Config, args: &LakeArgs) -> Result<ExitCode> {
    let place = Place::of(config).await?;
    let table = place.lake().await?.load().await?;
    let pending = compactor::pending(&table, &place.raw()).await?;
    let glance = Glance { facts: compactor::inspect(&table).await?, pending, now: place.now() };
    let earlier = if args.all { 0 } else { glance.facts.days.len().saturating_sub(args.days) };
    let days = &glance.facts.days[earlier..];
    match args.output.format() {
        Format::Table => print(format!("{}{}", glance.text(args.output.zone), text_of_days(days, earlier)).as_bytes())?,
        Format::Json => print(format!("{}\n", glance.json(days)).as_bytes())?,
        _ => print_rows("lake", &rows_of_days(days, earlier), args.output)?,
    }
    Ok(ExitCode::SUCCESS)
}

impl Glance {
    fn text(&self, zone: Zone) -> String {
        let Self { facts, pending, now } = self;
        let counts = facts.counts;
        let mut lines = vec![
            ("table", format!("requests, {}", escape(&facts.location))),
            (
                "snapshots",
                match facts.newest {
                    Some(newest) => format!("{}, the newest of {}", facts.snapshots, zone.seconds(newest)),
                    None => "none yet".to_owned(),
                },
            ),
            ("data files", self.files()),
            (
                "rows",
                match (facts.days.first(), facts.days.last()) {
                    (Some(first), Some(last)) => {
                        format!("{} on {} days, {} to {}", facts.rows(), facts.days.len(), first.day, last.day)
                    }
                    _ => "none yet".to_owned(),
                },
            ),
            ("manifests", facts.manifests.to_string()),
            (
                "pending",
                match pending.objects {
                    0 => "nothing".to_owned(),
                    _ => super::compact::pending(pending, *now).trim_end_matches(',').to_owned(),
                },
            ),
            (
                "compacted",
                format!(
                    "{} lines of {} objects = {} rows + {} duplicates + {} quarantined",
                    counts.lines, counts.objects, counts.rows, counts.duplicates, counts.quarantined
                ),
            ),
        ];
        if counts.gateway != GatewayCounts::default() {
            let gateway = counts.gateway;
            lines.push(("gateway", format!(
                "{} lines of {} objects = {} rows + {} with an event + {} duplicates + {} quarantined + {} not settled",
                gateway.lines, gateway.objects, gateway.rows, gateway.answered, gateway.duplicates,
                gateway.quarantined, gateway.waiting()
            )));
        }
        let closed = facts.closed_before.as_ref().map(|day| format!(", and all before {day}")).unwrap_or_default();
        lines.push(("consumed", format!("{} objects remembered one by one{closed}", facts.consumed)));
        lines.into_iter().map(|(name, value)| format!("{name:<11} {value}\n")).collect()
    }

    fn files(&self) -> String {
        let LakeFacts { files, smallest, .. } = &self.facts;
        match smallest {
            None => "none yet".to_owned(),
            Some(smallest) => format!(
                "{files}, {}: {} on average, {} the smallest",
                ByteSize(self.facts.bytes()),
                ByteSize(self.facts.bytes() / (*files).max(1)),
                ByteSize(*smallest)
            ),
        }
    }

    fn json(&self, days: &[DayFacts]) -> serde_json::Value {
        let Self { facts, pending, now } = self;
        let (counts, gateway) = (facts.counts, facts.counts.gateway);
        let day = |day: &DayFacts| json!({"day": day.day, "files": day.files, "rows": day.rows, "bytes": day.bytes});
        json!({
            "table": "requests",
            "location": facts.location,
            "snapshots": {"count": facts.snapshots, "newest": facts.newest.map(|it| it.to_string())},
            "files": {
                "count": facts.files,
                "bytes": facts.bytes(),
                "average_bytes": facts.bytes().checked_div(facts.files),
                "smallest_bytes": facts.smallest,
            },
            "rows": facts.rows(),
            "days": {
                "count": facts.days.len(),
                "first": facts.days.first().map(|day| &day.day),
                "last": facts.days.last().map(|day| &day.day),
                "shown": days.iter().map(day).collect::<Vec<_>>(),
            },
            "manifests": facts.manifests,
            "pending": {
                "objects": pending.objects,
                "bytes": pending.bytes,
                "oldest": pending.oldest.map(|it| it.to_string()),
                "lag_s": pending.lag(*now).as_secs(),
            },
            "compacted": {
                "objects": counts.objects,
                "lines": counts.lines,
                "rows": counts.rows,
                "duplicates": counts.duplicates,
                "quarantined": counts.quarantined,
                "gateway": {
                    "objects": gateway.objects,
                    "lines": gateway.lines,
                    "rows": gateway.rows,
                    "answered": gateway.answered,
                    "duplicates": gateway.duplicates,
                    "quarantined": gateway.quarantined,
                    "waiting": gateway.waiting(),
                },
            },
            "consumed": {"objects": facts.consumed, "closed_before": facts.closed_before},
        })
    }
}

fn text_of_days(days: &[DayFacts], earlier: usize) -> String {
    if days.is_empty() {
        return String::new();
    }
    let mut lines = table(&["day", "files", "rows", "size"]);
    for day in days {
        let size = ByteSize(day.bytes).to_string();
        lines.add_row([&day.day, &day.files.to_string(), &day.rows.to_string(), &size]);
    }
    for index in 1..=3 {
        if let Some(column) = lines.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let more = if earlier == 0 { String::new() } else { format!("{earlier} earlier days; --all shows them.\n") };
    format!("\n{lines}\n{more}")
}

fn rows_of_days(days: &[DayFacts], earlier: usize) -> Rows {
    let column = |name: &str, kind| RowColumn { name: name.to_owned(), kind };
    let columns = vec![
        column("day", CellKind::Text),
        column("files", CellKind::Int),
        column("rows", CellKind::Int),
        column("bytes", CellKind::Int),
    ];
    let number = |number: u64| Cell::Int(i64::try_from(number).unwrap_or(i64::MAX));
    let row =
        |day: &DayFacts| vec![Cell::Text(day.day.clone()), number(day.files), number(day.rows), number(day.bytes)];
    let rows = days.iter().map(row).collect();
    Rows { columns, rows, truncated: earlier > 0, bytes_read: 0, cost_usd: None }
}
