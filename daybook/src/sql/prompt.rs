//! The prompt: statements of several lines, a history, completion of columns and words.

use std::path::Path;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Context, Editor, Helper};
use tokio::runtime::Handle;

use super::Asker;
use crate::failure::{Failure, Result};
use crate::logging::complain;
use crate::output::print;

/// Words that are completed beside the columns.
const WORDS: &[&str] = &[
    "requests",
    "select",
    "from",
    "where",
    "group by",
    "order by",
    "having",
    "limit",
    "distinct",
    "count(",
    "sum(",
    "avg(",
    "min(",
    "max(",
    "case",
    "when",
    "then",
    "else",
    "end",
    "between",
    "interval",
    "timestamp",
    "with",
    "join",
    "approx_percentile(",
    "date_trunc(",
    "json_extract_scalar(",
    "is null",
    "is not null",
    "desc",
    "union all",
];
/// What is said first, and again when asked.
const HELP: &str = "One table: requests. A statement ends with a semicolon; Tab completes.\n\
                    \\d lists the columns, \\? says this again, \\q or Ctrl-D ends.\n";

/// Asks what is typed, until the end. Blocks; answers come from `runtime`.
///
/// # Errors
/// The terminal or standard output fails.
pub fn run(asker: &Asker, history: &Path, runtime: &Handle) -> Result<()> {
    let failed = Failure::while_::<ReadlineError>;
    // As psql and bash complete: what all have in common, then the list of them.
    let config = rustyline::Config::builder().completion_type(CompletionType::List).build();
    let mut editor: Editor<Words, DefaultHistory> = Editor::with_config(config).map_err(failed("use the terminal"))?;
    editor.set_helper(Some(Words::new()));
    // There is none at first.
    let _ = editor.load_history(history);
    print(HELP.as_bytes())?;
    loop {
        let line = match editor.readline("daybook> ") {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => return Ok(()),
            Err(error) => return Err(failed("read from the terminal")(error)),
        };
        // A history that cannot be kept is no reason not to answer.
        let _ = editor.add_history_entry(&line);
        let _ = editor.append_history(history);
        match line.trim() {
            "" => {}
            "\\q" | "exit" | "quit" => return Ok(()),
            "\\?" | "help" => print(HELP.as_bytes())?,
            "\\d" => print(columns().as_bytes())?,
            statement => match runtime.block_on(asker.ask(statement)) {
                Ok(answer) => print(&answer)?,
                Err(failure) => complain(&failure),
            },
        }
    }
}

fn columns() -> String {
    let line = |column: &event::Column| format!("{:<24}{:<11}{}\n", column.name, column.kind.name(), column.meaning);
    event::COLUMNS.iter().map(line).collect()
}

/// What can be completed.
struct Words(Vec<&'static str>);

impl Words {
    fn new() -> Self {
        let mut words: Vec<&str> =
            event::COLUMNS.iter().map(|column| column.name).chain(WORDS.iter().copied()).collect();
        words.sort_unstable();
        Self(words)
    }

    /// Where the word at `end` begins, and what it may become.
    fn complete(&self, line: &str, end: usize) -> (usize, Vec<String>) {
        let head = line.get(..end).unwrap_or(line);
        let start = head
            .rfind(|c: char| !c.is_alphanumeric() && c != '_')
            .map_or(0, |at| at + head[at..].chars().next().map_or(1, char::len_utf8));
        let word = head[start..].to_lowercase();
        let fits = |known: &&&str| !word.is_empty() && known.starts_with(&word);
        (start, self.0.iter().filter(fits).map(|known| (*known).to_owned()).collect())
    }
}

impl Completer for Words {
    type Candidate = String;

    fn complete(&self, line: &str, end: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.complete(line, end))
    }
}

impl Validator for Words {
    /// A statement goes on until its semicolon.
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(if is_whole(context.input()) { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

fn is_whole(input: &str) -> bool {
    let input = input.trim();
    input.is_empty() || input.ends_with(';') || input.starts_with('\\') || matches!(input, "exit" | "quit" | "help")
}

impl Hinter for Words {
    type Hint = String;
}

impl Highlighter for Words {}

impl Helper for Words {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_and_words_are_completed() {
        let words = Words::new();
        let check = |line: &str, start: usize, expect: &[&str]| {
            let (at, found) = words.complete(line, line.len());
            assert_eq!((at, found.iter().map(String::as_str).collect::<Vec<_>>()), (start, expect.to_vec()), "{line}");
        };
        check("select use", 7, &["user_agent", "user_id"]);
        check("SELECT Client", 7, &["client_ip"]);
        check("selec", 0, &["select"]);
        check("select é", 7, &[]);
        check(
            "select count(*) from req",
            21,
            &[
                "request_body",
                "request_body_encoding",
                "request_body_ref",
                "request_body_sha256",
                "request_bytes",
                "request_content_type",
                "request_headers",
                "request_id",
                "requests",
            ],
        );
        check("", 0, &[]);
    }

    #[test]
    fn a_statement_ends_with_its_semicolon() {
        for whole in ["", "select 1;", "select\n1 ; ", "\\q", "exit"] {
            assert!(is_whole(whole), "{whole}");
        }
        assert!(!is_whole("select 1") && !is_whole("select\n"));
    }
}
