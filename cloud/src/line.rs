//! One record, one line: text that no log reader, terminal or pager takes for several.

use std::borrow::Cow;
use std::fmt::Write;

/// What JSON lets stand raw, but some readers take for the end of a line or for a command: DEL, the C1 controls,
/// LINE and PARAGRAPH SEPARATOR.
fn is_hidden(character: char) -> bool {
    matches!(character, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}')
}

/// Text on one line, controls written as JSON writes them.
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| c.is_control() || is_hidden(c)) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            c if c.is_control() || is_hidden(c) => push_code(&mut line, c),
            c => line.push(c),
        }
    }
    Cow::Owned(line)
}

/// A JSON text on one line: equal in meaning, with nothing hidden left raw.
pub(crate) fn json_line(json: String) -> String {
    if !json.chars().any(is_hidden) {
        return json;
    }
    let mut line = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        if is_hidden(character) { push_code(&mut line, character) } else { line.push(character) }
    }
    line
}

fn push_code(line: &mut String, character: char) {
    // Writing to a string has no way to fail.
    let _ = write!(line, "\\u{:04x}", u32::from(character));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_one_line_and_means_the_same() {
        let hostile = "a\r\n\u{0}\u{1b}[31m\u{85}\u{9b}2J\u{2028}\u{2029}é\u{7f}\"\\";
        let line = json_line(serde_json::to_string(hostile).unwrap());
        assert!(line.chars().all(|c| !c.is_control() && !is_hidden(c)), "{line}");
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), hostile);
        assert!(escaped(hostile).chars().all(|c| !c.is_control() && !is_hidden(c)));
        assert!(matches!(escaped("plain é"), Cow::Borrowed(_)));
    }
}
