//! A function's settings: environment variables, read once, each refused by its name.

use std::collections::BTreeMap;
use std::fmt;

/// Why a program does not start: one line that names the variable and says how to set it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(String);

impl Refusal {
    /// A refusal in one sentence. Never holds a value that may be secret.
    pub fn new(line: impl Into<String>) -> Self {
        Self(line.into())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::line::escaped(&self.0))
    }
}

impl std::error::Error for Refusal {}

/// The variables that a process was started with. An empty one counts as not set.
#[derive(Debug, Clone, Default)]
pub struct Env {
    variables: BTreeMap<String, String>,
}

impl Env {
    /// Those of this process.
    pub fn process() -> Self {
        let text = |os: std::ffi::OsString| os.to_string_lossy().into_owned();
        Self::of(std::env::vars_os().map(|(name, value)| (text(name), text(value))))
    }

    /// These, for tests.
    pub fn of<N: Into<String>, V: Into<String>>(variables: impl IntoIterator<Item = (N, V)>) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        Self { variables: variables.filter(|(_, value)| !value.is_empty()).collect() }
    }

    /// A variable that may be missing.
    pub fn optional(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// A variable that must be there; `meaning` completes the sentence "set it to …".
    ///
    /// # Errors
    /// It is not set.
    pub fn required(&self, name: &str, meaning: &str) -> Result<&str, Refusal> {
        self.optional(name).ok_or_else(|| Refusal(format!("{name} is not set; set it to {meaning}")))
    }

    /// A variable read by `read`, whose error says what to write instead; it need not repeat the name.
    ///
    /// # Errors
    /// It is set, and `read` refuses it.
    pub fn read<T, E: fmt::Display>(
        &self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Refusal> {
        let refused = |error| Refusal(format!("{name}: {error}"));
        self.optional(name).map(|text| read(text).map_err(refused)).transpose()
    }

    /// A variable of several parts between commas; spaces around them do not count.
    ///
    /// # Errors
    /// `read` refuses one.
    pub fn list<T, E: fmt::Display>(&self, name: &str, read: impl Fn(&str) -> Result<T, E>) -> Result<Vec<T>, Refusal> {
        let parts = |text: &str| text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(&read).collect();
        Ok(self.read(name, parts)?.unwrap_or_default())
    }

    /// A number, or `default`.
    ///
    /// # Errors
    /// It is no whole number within the type.
    pub fn number<T: std::str::FromStr>(&self, name: &str, default: T) -> Result<T, Refusal> {
        let read = |text: &str| text.parse().map_err(|_| format!("{text:?} is no number this setting can have"));
        Ok(self.read(name, read)?.unwrap_or(default))
    }

    /// `true` or `false`; without one, `false`.
    ///
    /// # Errors
    /// It is any other word.
    pub fn flag(&self, name: &str) -> Result<bool, Refusal> {
        let read = |text: &str| text.parse().map_err(|_| format!("{text:?} is neither true nor false"));
        Ok(self.read(name, read)?.unwrap_or(false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env() -> Env {
        Env::of([("A", "1"), ("EMPTY", ""), ("LIST", " a, b,,c "), ("YES", "true"), ("WORD", "word\n2")])
    }

    #[test]
    fn reads_what_is_set() {
        assert_eq!((env().optional("A"), env().optional("EMPTY")), (Some("1"), None));
        assert_eq!((env().number("A", 7), env().number("B", 7)), (Ok(1), Ok(7)));
        assert_eq!((env().flag("YES"), env().flag("NO")), (Ok(true), Ok(false)));
        let whole = |part: &str| Ok::<_, String>(part.to_owned());
        assert_eq!(env().list("LIST", whole), Ok(vec!["a".to_owned(), "b".to_owned(), "c".to_owned()]));
    }

    #[test]
    fn refuses_in_one_line_that_names_the_variable() {
        let check = |refusal: Refusal, expect: &str| assert_eq!(refusal.to_string(), expect);
        check(env().required("B", "the table's name").unwrap_err(), "B is not set; set it to the table's name");
        check(env().required("EMPTY", "a word").unwrap_err(), "EMPTY is not set; set it to a word");
        check(env().number("WORD", 1).unwrap_err(), r#"WORD: "word\n2" is no number this setting can have"#);
        check(env().flag("A").unwrap_err(), r#"A: "1" is neither true nor false"#);
        check(Refusal::new("two\nlines\u{1b}[31m\u{2028}"), "two\\nlines\\u001b[31m\\u2028");
    }
}
