//! What the tests share: files that hold bytes, strings that break things.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

/// The folder of files that outlive a process.
pub fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

/// Holds `found` against a file. With `UPDATE_GOLDEN=1` the file is written instead; an old version's never is.
#[track_caller]
pub fn golden(path: &str, found: &str) {
    let file = testdata().join(path);
    #[expect(clippy::disallowed_methods, reason = "a test's own switch")]
    if std::env::var("UPDATE_GOLDEN").is_ok() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, found).unwrap();
    }
    let expect = fs::read_to_string(&file).unwrap_or_default();
    assert!(expect == found, "{path} differs; UPDATE_GOLDEN=1 writes it anew. Found:\n{found}");
}

/// Text of every kind, the odd ones often.
pub fn odd_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-z ]{0,20}",
        prop::sample::select(vec![
            "",
            "\u{2028}\u{2029}",
            "\0\u{1}\u{1f}\u{7f}",
            "\r\n",
            "\u{1b}[31m",
            "\"\\/",
            "😀\u{feff}",
            "null",
            "\\u0000",
        ])
        .prop_map(str::to_owned),
    ]
}
