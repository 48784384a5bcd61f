//! `daybook export`: events or entities as files that anything reads.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{SchemaRef, TimestampMicrosecondType};
use futures::TryStreamExt;
use ingest::store::{EntityRef, Stored};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use query::named::TimeExpression;

use crate::cli::{ExportArgs, ExportFormat, ExportWhat};
use crate::config::Config;
use crate::failure::{Failure, Result};
use crate::logging::tell;
use crate::place::Place;
use crate::verify::{Depth, row::Lines, view};

/// Entities of a batch.
const PAGE: usize = 4_096;
const DAY: i64 = 86_400_000_000;

/// Writes what is asked for to a file or to standard output.
pub async fn run(config: &Config, args: &ExportArgs) -> Result<ExitCode> {
    let place = Place::of(config).await?;
    let mut sink = Sink::open(args.output.as_deref(), args.format)?;
    let count = match args.what {
        ExportWhat::Events => events(&place, args, &mut sink).await,
        ExportWhat::Entities => entities(&place, args, &mut sink).await,
    };
    let count = match count {
        Ok(count) => sink.finish().map(|()| count),
        Err(failure) => Err(failure),
    };
    match (count, &args.output) {
        (Ok(count), Some(output)) => tell(&format!("{count} rows in {}", output.display())),
        // Half a file is none.
        (Err(failure), Some(output)) => {
            let _ = std::fs::remove_file(output);
            return Err(failure);
        }
        (Ok(_), None) => {}
        (Err(failure), None) => return Err(failure),
    }
    Ok(ExitCode::SUCCESS)
}

/// Events by their time, from (inclusive) to (exclusive). Days come in order; within a day, file by file.
async fn events(place: &Place, args: &ExportArgs, sink: &mut Sink) -> Result<u64> {
    let micros = |time: TimeExpression| time.at(place.now()).micros();
    let (from, to) = (args.from.map_or(i64::MIN, micros), args.to.map_or(i64::MAX, micros));
    let table = place.lake().await?.load().await?;
    let tail = compactor::tail(&table, &place.raw(), place.now(), compactor::Limits::default()).await?;
    let wanted = |day: i32| (i64::from(day) + 1) * DAY > from && i64::from(day) * DAY < to;
    let mut columns = view::columns(Depth::Whole);
    columns.push("ingested_at");
    let mut rows = compactor::scan_days(&table, &columns, wanted).await?;
    let mut count = 0;
    while let Some(batch) = rows.try_next().await? {
        count += sink.events(&between(&batch, from, to)?)?;
    }
    for batch in tail.batches {
        count += sink.events(&between(&batch, from, to)?)?;
    }
    Ok(count)
}

/// The rows of these times.
fn between(batch: &RecordBatch, from: i64, to: i64) -> Result<RecordBatch> {
    let times =
        batch.column_by_name("received_at").and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
    let times: &TimestampMicrosecondArray = times.ok_or_else(|| Failure::new("the table has no column received_at"))?;
    let wanted: BooleanArray = times.iter().map(|at| Some(at.is_some_and(|at| at >= from && at < to))).collect();
    arrow::compute::filter_record_batch(batch, &wanted).map_err(Failure::while_("choose rows"))
}

/// The entities as the store has them now, in the order of tenant, kind and id.
async fn entities(place: &Place, args: &ExportArgs, sink: &mut Sink) -> Result<u64> {
    let Some(installation) = place.folder() else {
        return Err(Failure::new("entities are exported from a folder; of a deployment, from DynamoDB"));
    };
    if args.from.is_some() || args.to.is_some() {
        return Err(Failure::new("entities are exported as they are now; --from and --to are for events"));
    }
    let reader = installation.reader()?;
    let reader =
        reader.ok_or_else(|| Failure::new("there is no store.db; daybook replay --swap makes one of the log"))?;
    let (mut count, mut after) = (0, None);
    loop {
        let page = reader.entities(after, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(count) };
        after = Some(last.clone());
        count += sink.entities(&page)?;
    }
}

/// Where rows go.
struct Sink {
    out: Option<Box<dyn Write + Send>>,
    format: ExportFormat,
    parquet: Option<(SchemaRef, ArrowWriter<Box<dyn Write + Send>>)>,
}

impl Sink {
    fn open(path: Option<&Path>, format: ExportFormat) -> Result<Self> {
        let out: Box<dyn Write + Send> = match path {
            Some(path) => {
                Box::new(File::create(path).map_err(Failure::while_(format_args!("write {}", path.display())))?)
            }
            None => Box::new(io::stdout()),
        };
        Ok(Self { out: Some(Box::new(BufWriter::with_capacity(1 << 16, out))), format, parquet: None })
    }

    /// Events, as the lines they were or as rows.
    fn events(&mut self, batch: &RecordBatch) -> Result<u64> {
        if self.format == ExportFormat::Parquet {
            return self.batch(batch);
        }
        let mut lines = Lines::of(batch)?;
        for row in 0..batch.num_rows() {
            let line = lines.line(row);
            self.write(line)?;
        }
        Ok(batch.num_rows() as u64)
    }

    fn entities(&mut self, page: &[(EntityRef, Stored)]) -> Result<u64> {
        if self.format == ExportFormat::Parquet {
            return self.batch(&rows(page)?);
        }
        for (entity, stored) in page {
            let state: serde_json::Value =
                serde_json::from_str(stored.state.as_str()).map_err(Failure::while_("read a state"))?;
            let line = serde_json::json!({
                "tenant": entity.tenant,
                "entity_type": entity.kind,
                "entity_id": entity.id,
                "version": stored.version,
                "deleted": stored.deleted,
                "event_id": stored.event_id,
                "state": state,
            });
            self.write(line.to_string().as_bytes())?;
        }
        Ok(page.len() as u64)
    }

    fn write(&mut self, line: &[u8]) -> Result<()> {
        let Some(out) = &mut self.out else { return Ok(()) };
        match out.write_all(line).and_then(|()| out.write_all(b"\n")) {
            // Whoever read it has gone: there is nobody to write for.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
            result => result.map_err(Failure::while_("write the export")),
        }
    }

    /// Rows of one schema, that of the first.
    fn batch(&mut self, batch: &RecordBatch) -> Result<u64> {
        if let Some(out) = self.out.take() {
            let level = ZstdLevel::try_new(3).map_err(Failure::while_("write the export"))?;
            let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
            let writer = ArrowWriter::try_new(out, batch.schema(), Some(properties));
            self.parquet = Some((batch.schema(), writer.map_err(Failure::while_("write the export"))?));
        }
        let Some((schema, writer)) = &mut self.parquet else { return Ok(0) };
        let column = |field: &Arc<arrow::datatypes::Field>| {
            let missing = || Failure::new(format!("rows lack the column {}", field.name()));
            batch.column_by_name(field.name()).cloned().ok_or_else(missing)
        };
        let columns = schema.fields().iter().map(column).collect::<Result<Vec<ArrayRef>>>()?;
        let same = RecordBatch::try_new(Arc::clone(schema), columns).map_err(Failure::while_("write the export"))?;
        writer.write(&same).map_err(Failure::while_("write the export"))?;
        Ok(batch.num_rows() as u64)
    }

    fn finish(self) -> Result<()> {
        if let Some((_, writer)) = self.parquet {
            let mut out = writer.into_inner().map_err(Failure::while_("write the export"))?;
            return out.flush().map_err(Failure::while_("write the export"));
        }
        match self.out {
            Some(_) if self.format == ExportFormat::Parquet => Err(Failure::new("there is nothing to export")),
            Some(mut out) => out.flush().map_err(Failure::while_("write the export")),
            None => Ok(()),
        }
    }
}

fn rows(page: &[(EntityRef, Stored)]) -> Result<RecordBatch> {
    let texts = |pick: fn(&(EntityRef, Stored)) -> String| {
        Arc::new(page.iter().map(|entity| Some(pick(entity))).collect::<StringArray>()) as ArrayRef
    };
    let versions: Int64Array = page.iter().map(|(_, stored)| Some(stored.version)).collect();
    let deleted: BooleanArray = page.iter().map(|(_, stored)| Some(stored.deleted)).collect();
    let columns: [(&str, ArrayRef); 7] = [
        ("tenant", texts(|(entity, _)| entity.tenant.clone())),
        ("entity_type", texts(|(entity, _)| entity.kind.clone())),
        ("entity_id", texts(|(entity, _)| entity.id.clone())),
        ("version", Arc::new(versions)),
        ("deleted", Arc::new(deleted)),
        ("event_id", texts(|(_, stored)| stored.event_id.to_string())),
        ("state", texts(|(_, stored)| stored.state.as_str().to_owned())),
    ];
    RecordBatch::try_from_iter(columns).map_err(Failure::while_("write the export"))
}
