//! What a terminal may see: no control characters out of other people's data.

/// The text with everything that could move the cursor, colour the screen or reverse the line shown as an escape.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            _ if moves(character) => out.push_str(&format!("\\u{{{:x}}}", u32::from(character))),
            _ => out.push(character),
        }
    }
    out
}

/// The same JSON with escapes for whatever [`escape`] would not let through. JSON itself has them for the controls below
/// the space; the others can stand in its strings alone.
pub fn escape_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        if character >= '\u{7f}' && moves(character) {
            // All of them are of the first plane: one unit of UTF-16 each.
            out.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            out.push(character);
        }
    }
    out
}

/// Control characters, line and paragraph separators, and the marks that change a text's direction.
fn moves(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}')
        || matches!(character, '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::{escape, escape_json};

    #[test]
    fn hostile_text_is_shown_not_obeyed() {
        assert_eq!(
            escape("a\u{1b}[31mb\r\n\u{202e}c\u{2028}\u{9b}é"),
            "a\\u{1b}[31mb\\r\\n\\u{202e}c\\u{2028}\\u{9b}é"
        );
    }

    #[test]
    fn json_stays_what_it_says() {
        let text = "a\u{1b}\u{7f}\u{9b}\u{202e}\u{2028}é\n😀";
        let json = serde_json::to_string(text).unwrap() + "\n";
        let tame = escape_json(&json);
        assert!(tame.chars().all(|character| character == '\n' || !super::moves(character)), "{tame:?}");
        assert_eq!(serde_json::from_str::<String>(&tame).unwrap(), text);
    }
}
