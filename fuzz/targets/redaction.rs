//! Masks: no panic on any bytes, JSON stays JSON, and a named secret is not in what comes out, whatever stands around it.
#![no_main]

use std::sync::LazyLock;

use event::redact::{Redactor, Rules};
use libfuzzer_sys::fuzz_target;

const SECRET: &str = "s3cr3t-Zq9-hunter2";

static REDACTOR: LazyLock<Redactor> =
    LazyLock::new(|| Redactor::new([7; 32], Rules::default()).expect("the default rules make patterns"));

fuzz_target!(|input: &[u8]| {
    let lossy = String::from_utf8_lossy(input);
    let text: &str = &lossy;
    for kind in [None, Some("application/json"), Some("application/x-www-form-urlencoded"), Some(text)] {
        let body = REDACTOR.body(kind, input);
        if let (Some(masked), true) = (&body.text, kind == Some("application/json")) {
            let was_json = serde_json::from_slice::<&serde_json::value::RawValue>(input).is_ok();
            assert!(!was_json || serde_json::from_str::<&serde_json::value::RawValue>(masked).is_ok(), "{masked}");
        }
    }
    let _ = (REDACTOR.text(text), REDACTOR.value(text), REDACTOR.path(text), REDACTOR.query(text));
    let _ = REDACTOR.headers([("user-agent", input), ("accept", input)].into_iter());

    let around = serde_json::to_string(text).expect("text is JSON");
    let body = format!(r#"{{{around}:[{around},{{"pass_word":"{SECRET}"}}],"Client-Secret":{{"a":["{SECRET}"]}}}}"#);
    let masked = REDACTOR.body(Some("application/json"), body.as_bytes()).text.unwrap_or_default();
    assert!(text.contains(SECRET) || !masked.contains(SECRET), "{masked}");
});
