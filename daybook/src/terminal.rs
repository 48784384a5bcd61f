//! What a terminal may see: logs on standard error, and no control characters out of other people's data.

use tracing_subscriber::EnvFilter;

use crate::failure::Failure;

/// Starts logging to standard error; `filter` as tracing's directives have it.
pub fn start_logging(filter: &str) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| Failure::new(format!("log = {filter:?} is no filter ({error}); try info or debug")))?;
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    let subscriber = subscriber.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    subscriber.try_init().map_err(|error| Failure::new(format!("cannot start logging: {error}")))
}

/// Says on standard error, in one line, why nothing was done.
#[expect(clippy::print_stderr, reason = "the command's own word to its user")]
pub fn complain(failure: &Failure) {
    eprintln!("daybook: {failure}");
}

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

/// Control characters, line and paragraph separators, and the marks that change a text's direction.
fn moves(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}')
        || matches!(character, '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn hostile_text_is_shown_not_obeyed() {
        assert_eq!(
            escape("a\u{1b}[31mb\r\n\u{202e}c\u{2028}\u{9b}é"),
            "a\\u{1b}[31mb\\r\\n\\u{202e}c\\u{2028}\\u{9b}é"
        );
    }
}
