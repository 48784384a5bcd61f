//! Asks a table from outside, for `bench/queries`: questions on standard input, one a line, each answered by a line.
//!
//! ```sh
//! echo '{"query": "traffic", "parameters": {"from": "2026-11-20"}}' |
//!     cargo run --release -p daybook --example ask -- DIR/lake/…/metadata/00001-….metadata.json 2026-11-21
//! ```
#![expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]

use std::collections::BTreeMap;
use std::error::Error;
use std::io::BufRead;
use std::sync::Arc;
use std::time::{Duration, Instant};

use compactor::lake::DurableFsFactory;
use event::Timestamp;
use iceberg::TableIdent;
use iceberg::io::FileIOBuilder;
use iceberg::table::{StaticTable, Table};
use query::local::{Limits, LocalEngine, Snapshot};
use query::{QueryEngine, Scope, format, named};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tikv_jemallocator::Jemalloc;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// As in `daybook`.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    query: String,
    #[serde(default)]
    parameters: BTreeMap<String, String>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [metadata, now] = arguments.as_slice() else { return Err("usage: ask METADATA-FILE NOW".into()) };
    let now = Timestamp::parse(&format!("{now}T00:00:00Z"))?;
    let table = open(metadata).await?;
    // Figures of a slow machine are figures, too.
    let limits = Limits { timeout: Duration::from_secs(600), ..Limits::default() };
    let engine = LocalEngine::new(Snapshot { table, tail: vec![] }, limits)?;
    for line in std::io::stdin().lock().lines() {
        let question: Question = serde_json::from_str(&line?)?;
        println!("{}", answer(&engine, &question, &Scope::operator(now)).await?);
    }
    Ok(())
}

async fn open(metadata: &str) -> Result<Table> {
    let ident = TableIdent::from_strs(["daybook", "requests"])?;
    let files = FileIOBuilder::new(Arc::new(DurableFsFactory)).build();
    Ok(StaticTable::from_metadata_file(metadata, ident, files).await?.into_table())
}

/// What was asked of the engine, as the SQL that others can run, too, and what came of it.
#[expect(clippy::disallowed_methods, reason = "what it takes is what is asked for")]
async fn answer(engine: &LocalEngine, question: &Question, scope: &Scope) -> Result<Value> {
    let query = named::find(&question.query)?;
    let given = question.parameters.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    let params = query.bind(given, scope)?;
    let begun = Instant::now();
    let rows = engine.run(query, &params).await?;
    let seconds = begun.elapsed().as_secs_f64();
    let sql = query.render(&params)?;
    let answer = RawValue::from_string(String::from_utf8(format::json(query.name, &rows)?)?)?;
    Ok(json!({"sql": sql, "seconds": seconds, "answer": answer}))
}
