//! Every snapshot on S3 and Glue, read by pyiceberg and DuckDB (I8).

use std::process::Command;

use compactor::Options;

use crate::support::{DAY, HOUR, events, key};
use crate::world::World;

/// Needs `DAYBOOK_FOREIGN_PYTHON`, a Python with `compactor/tests/foreign/requirements.txt`; `make test-aws` sets it.
#[tokio::test]
async fn pyiceberg_and_duckdb_read_every_snapshot() {
    #[expect(clippy::disallowed_methods, reason = "where the readers are installed is part of a test's environment")]
    let Some(python) = std::env::var_os("DAYBOOK_FOREIGN_PYTHON") else {
        eprintln!("NOT RUN: DAYBOOK_FOREIGN_PYTHON is not set");
        return;
    };
    let world = World::new().await;
    let input = events(1, DAY - 2 * HOUR, 60_000_000, 900);
    for (index, part) in input.chunks(300).enumerate() {
        world.put_events(&key(index as i64, "a"), part).await;
        world.try_compact(Options::default()).await.unwrap();
    }
    world.put(&key(9, "bad"), "no event\n").await;
    world.compact().await;
    world.check(&input).await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../compactor/tests/foreign/read.py");
    let mut command = Command::new(python);
    command.args([script, &world.bucket, &world.database]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("snapshots 4  rows 900  distinct events 900"), "{said}");
    assert!(said.contains("duckdb over the files: rows 900"), "{said}");
}
