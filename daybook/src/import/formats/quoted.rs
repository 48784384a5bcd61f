//! Fields of a line, separated by spaces; those in quotation marks may hold spaces, and escapes as Apache writes them.

use std::borrow::Cow;

/// What is left of a line.
#[derive(Debug, Clone, Copy)]
pub struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    /// At a line's beginning.
    pub fn new(line: &'a str) -> Self {
        Self(line)
    }

    /// Whether there is nothing left.
    pub fn is_at_end(&self) -> bool {
        self.0.trim_start_matches(' ').is_empty()
    }

    /// The next word.
    ///
    /// # Errors
    /// There is none.
    pub fn word(&mut self, what: &str) -> Result<&'a str, String> {
        let rest = self.0.trim_start_matches(' ');
        let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        self.0 = rest;
        if word.is_empty() { Err(format!("no {what}")) } else { Ok(word) }
    }

    /// Everything up to `end`, which is passed over.
    ///
    /// # Errors
    /// It does not come.
    pub fn until(&mut self, end: &str, what: &str) -> Result<&'a str, String> {
        let (text, rest) = self.0.split_once(end).ok_or_else(|| format!("no {what}"))?;
        self.0 = rest;
        Ok(text)
    }

    /// The next field in quotation marks, its escapes undone.
    ///
    /// It ends at a mark that a space or the line's end follows: servers that do not escape write others into it.
    ///
    /// # Errors
    /// There is none, or it does not end.
    pub fn quoted(&mut self, what: &str) -> Result<Cow<'a, str>, String> {
        let rest = self.0.trim_start_matches(' ').strip_prefix('"').ok_or_else(|| format!("no {what}"))?;
        let bytes = rest.as_bytes();
        let (mut at, mut escaped) = (0, false);
        loop {
            match bytes.get(at) {
                None => return Err(format!("the {what} does not end")),
                Some(b'\\') => {
                    escaped = true;
                    at += 1;
                }
                Some(b'"') if matches!(bytes.get(at + 1), None | Some(b' ')) => break,
                Some(_) => {}
            }
            at += 1;
        }
        let (text, after) = (&rest[..at], &rest[at + 1..]);
        self.0 = after;
        Ok(if escaped { Cow::Owned(unescaped(text)) } else { Cow::Borrowed(text) })
    }
}

/// Text without its escapes: `\"`, `\\`, `\n`, `\r`, `\t`, `\xHH`. Others are left as they are.
fn unescaped(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let (value, taken) = match (byte, bytes.get(at + 1)) {
            (b'\\', Some(b'n')) => (b'\n', 2),
            (b'\\', Some(b'r')) => (b'\r', 2),
            (b'\\', Some(b't')) => (b'\t', 2),
            (b'\\', Some(kept @ (b'"' | b'\\'))) => (*kept, 2),
            (b'\\', Some(b'x')) => match text.get(at + 2..at + 4).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
                Some(value) => (value, 4),
                None => (b'\\', 1),
            },
            _ => (*byte, 1),
        };
        out.push(value);
        at += taken;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_fields() {
        let mut cursor = Cursor::new(r#""a b" "c\"d\\" "e"f" "\xc3\xa9\x4" "" rest"#);
        let fields: Vec<String> = (0..5).map(|_| cursor.quoted("field").unwrap().into_owned()).collect();
        assert_eq!(fields, ["a b", r#"c"d\"#, r#"e"f"#, "é\\x4", ""]);
        assert_eq!(cursor.word("word"), Ok("rest"));
        assert!(cursor.is_at_end());
        assert!(cursor.word("word").is_err() && cursor.quoted("field").is_err());
        assert!(Cursor::new(r#""a\""#).quoted("field").is_err(), "the last mark is escaped");
        assert!(Cursor::new("\"\\").quoted("field").is_err());
    }
}
