//! SQL as far as placeholders need it: where text, quoted names and comments begin and end.

/// A stretch of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// SQL to be kept as it is.
    Text(&'a str),
    /// The name of a `:name`.
    Placeholder(&'a str),
}

/// Splits a statement at its placeholders. The pieces, put together, are the statement.
pub(crate) fn pieces(sql: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while at < sql.len() {
        match placeholder(&sql[at..]) {
            Some(name) => {
                pieces.push(Piece::Text(&sql[start..at]));
                pieces.push(Piece::Placeholder(name));
                at += 1 + name.len();
                start = at;
            }
            None => at += token(&sql[at..]),
        }
    }
    pieces.push(Piece::Text(&sql[start..]));
    pieces
}

/// The name, if `sql` begins with a placeholder.
fn placeholder(sql: &str) -> Option<&str> {
    let rest = sql.strip_prefix(':')?;
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
    let name = &rest[..end];
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_').then_some(name)
}

/// The length of the token that `sql` begins with: a whole text, quoted name, comment or cast, else one character.
fn token(sql: &str) -> usize {
    let until = |skip: usize, end: &str| sql[skip..].find(end).map_or(sql.len(), |at| skip + at + end.len());
    match sql.as_bytes() {
        // A doubled quote ends one token and begins the next, which together are the same text.
        [b'\'', ..] => until(1, "'"),
        [b'"', ..] => until(1, "\""),
        [b'-', b'-', ..] => until(2, "\n"),
        [b'/', b'*', ..] => until(2, "*/"),
        [b':', b':', ..] => 2,
        _ => sql.chars().next().map_or(1, char::len_utf8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placeholders(sql: &str) -> Vec<&str> {
        let found = pieces(sql);
        let whole: String = found
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => (*text).to_owned(),
                Piece::Placeholder(name) => format!(":{name}"),
            })
            .collect();
        assert_eq!(whole, sql);
        let name = |piece| if let Piece::Placeholder(name) = piece { Some(name) } else { None };
        found.into_iter().filter_map(name).collect()
    }

    #[test]
    fn finds_placeholders_and_nothing_else() {
        for (sql, expect) in [
            ("select :a, :b_2", vec!["a", "b_2"]),
            (":a", vec!["a"]),
            ("x>=:a", vec!["a"]),
            ("':a' :b", vec!["b"]),
            ("'it''s :a' || :b", vec!["b"]),
            ("\":a\" :b", vec!["b"]),
            ("-- :a\n:b", vec!["b"]),
            ("-- it's\n:b", vec!["b"]),
            ("/* :a ' */ :b", vec!["b"]),
            ("x::bigint, :b", vec!["b"]),
            ("'2026-11-20 09:30:26' :1 : :", vec![]),
            ("'open :a", vec![]),
            ("/* open :a", vec![]),
            ("-- end :a", vec![]),
            ("'é' = :ä :a", vec!["a"]),
            ("", vec![]),
        ] {
            assert_eq!(placeholders(sql), expect, "{sql}");
        }
    }
}
