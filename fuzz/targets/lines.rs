//! Lines of the log, both ways of reading them: whatever is read is written again as the same event, and a line that
//! the compactor reads the quick way has the values that the exact way gives.
#![no_main]

/// The compactor's own file: its crate would bring all of Arrow along.
#[path = "../../compactor/src/columns/tokens.rs"]
mod tokens;

use event::{Event, Value};
use libfuzzer_sys::fuzz_target;
use tokens::{Token, Tokens};

/// Compares the tokens of a line, if it has any, with its event.
fn compare(line: &str, event: Option<&Event>) {
    let mut tokens = Tokens::default();
    if tokens.read(line).is_none() {
        return;
    }
    let event = event.expect("a line with tokens is an event");
    for (token, value) in tokens.fields().iter().zip(event.values()) {
        match (*token, value) {
            (Token::Absent, None) => {}
            (Token::Plain(start, end), Some(Value::String(text))) => {
                assert_eq!(&line[start as usize..end as usize], text);
            }
            (Token::Plain(start, end), Some(Value::Id(id))) => {
                assert_eq!(line[start as usize..end as usize], id.to_string());
            }
            (Token::Escaped(start, end, first), Some(Value::String(text))) => {
                let mut found = String::new();
                tokens.unescaped(line, (start, end, first), |piece| found.push_str(piece));
                assert_eq!(found, text);
            }
            (Token::Integer(found), Some(Value::Int(number))) => assert_eq!(found, i64::from(number)),
            (Token::Integer(found), Some(Value::Bigint(number))) => assert_eq!(found, number),
            (Token::Integer(found), Some(Value::Timestamp(time))) => assert_eq!(found, time.micros()),
            (Token::Double(found), Some(Value::Double(number))) => assert_eq!(found.to_bits(), number.to_bits()),
            (Token::Truth(found), Some(Value::Boolean(truth))) => assert_eq!(found, truth),
            (token, value) => panic!("{token:?} and {value:?}"),
        }
    }
}

fuzz_target!(|line: &[u8]| {
    let event = Event::from_line(line).ok();
    if let Some(event) = &event {
        let written = event.to_line();
        assert!(!written.contains(&b'\n'));
        assert_eq!(Event::from_line(&written).as_ref(), Ok(event));
        assert_eq!(event.compute_hash().len(), 64);
    }
    if let Ok(text) = std::str::from_utf8(line) {
        compare(text, event.as_ref());
    }
});
