//! Media types, as `Content-Type` has them (RFC 9110, 8.3).

/// The longest media type with its parameters, in characters.
pub const MAX: usize = 255;
/// What a media type of up to [`MAX`] characters matches, and nothing else does.
pub const PATTERN: &str = concat!(
    r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+",
    r#"( *; *[!#$%&'*+.^_`|~0-9A-Za-z-]+=([!#$%&'*+.^_`|~0-9A-Za-z-]+|"([ !#-\[\]-~]|\\[ -~])*")"#,
    r#"( *; *[!#$%&'*+.^_`|~0-9A-Za-z-]+=([!#$%&'*+.^_`|~0-9A-Za-z-]+|"([ !#-\[\]-~]|\\[ -~])*"))*)?$"#,
);

/// Whether a text is `type/subtype`, with parameters or without, as it can stand in a header.
pub fn is_media_type(text: &str) -> bool {
    let (essence, parameters) = match text.split_once(';') {
        Some((essence, parameters)) => (essence.trim_end_matches(' '), Some(parameters)),
        None => (text, None),
    };
    let is_essence = essence.split_once('/').is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype));
    text.len() <= MAX && is_essence && parameters.is_none_or(are_parameters)
}

/// `name=value; name="quoted value"`, in which a semicolon may stand between quotes.
fn are_parameters(text: &str) -> bool {
    let mut rest = text;
    loop {
        let Some((name, value)) = rest.trim_start_matches(' ').split_once('=') else { return false };
        let Some(after) = after_value(value) else { return false };
        match after.trim_start_matches(' ').strip_prefix(';') {
            _ if !is_token(name) => return false,
            Some(next) => rest = next,
            None => return after.is_empty(),
        }
    }
}

/// What stands behind a value that is a token or a quoted string.
fn after_value(text: &str) -> Option<&str> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ' ']).unwrap_or(text.len());
        return is_token(&text[..end]).then(|| &text[end..]);
    };
    let mut escaped = false;
    for (at, byte) in quoted.bytes().enumerate() {
        match byte {
            _ if !matches!(byte, b' '..=b'~') => return None,
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(&quoted[at + 1..]),
            _ => {}
        }
    }
    None
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_pattern_is_what_the_reader_does(
            text in prop_oneof![any::<String>(), r#"[a/; "=\\]{0,9}"#, r#"a/b( ?; ?a ?=("[a\\" ]{0,4}"|a?) ?){0,3}"#]
        ) {
            let pattern = regex::Regex::new(PATTERN).unwrap();
            prop_assert_eq!(pattern.is_match(&text) && text.len() <= MAX, is_media_type(&text));
        }
    }

    #[test]
    fn media_types() {
        for text in [
            "image/png",
            "text/plain;charset=utf-8",
            "text/plain ; charset=\"utf-8\"",
            "multipart/form-data; boundary=\"a;b=\\\"c\"; x=y",
            "application/vnd.api+json",
        ] {
            assert!(is_media_type(text), "{text:?}");
        }
        for text in [
            "",
            "image",
            "image/",
            "/png",
            "image/png;",
            "image/png ",
            "text/plain;a=b ",
            "text/plain;a=\"b\" ",
            "image/png; charset",
            "image/png; =x",
            "image/png; a=\"b",
            "image/png; a=b c",
            "image/png, text/html",
            "image/p ng",
            "image/png\r\nx: y",
            "imäge/png",
            "text/plain; a=\"\u{7f}\"",
            &format!("a/{}", "b".repeat(MAX)),
        ] {
            assert!(!is_media_type(text), "{text:?}");
        }
    }
}
