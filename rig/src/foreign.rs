//! Readers that share no code with Daybook: pyiceberg, and DuckDB over the files that it lists.

use std::path::PathBuf;
use std::process::Command;

/// What they say of the table in `bucket` and `database`, at every snapshot; `None` where they are not installed.
///
/// `DAYBOOK_FOREIGN_PYTHON` names a Python with `compactor/tests/foreign/requirements.txt`; `make test-aws` sets it.
///
/// # Panics
/// They cannot read it, or not alike.
#[expect(clippy::disallowed_methods, reason = "where the readers are installed is part of a test's environment")]
#[expect(clippy::print_stderr, reason = "a test that was not run says so")]
pub async fn read(bucket: &str, database: &str) -> Option<String> {
    let Some(python) = std::env::var_os("DAYBOOK_FOREIGN_PYTHON") else {
        eprintln!("NOT RUN: DAYBOOK_FOREIGN_PYTHON is not set");
        return None;
    };
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../compactor/tests/foreign/read.py");
    let mut command = Command::new(python);
    command.arg(script).args([bucket, database]);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap_or_else(|error| panic!("{error}"));
    let output = output.unwrap_or_else(|error| panic!("the readers' Python cannot be started: {error}"));
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
    Some(said)
}
