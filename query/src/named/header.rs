//! The grammar of a query file's header.
//!
//! ```text
//! -- name: slowest
//! -- question: Which requests took longest?
//! -- grain: one row per request, slowest first
//! -- params:
//! --   from timestamp = now - 24h : first moment that counts
//! --   route string = null : only this route template
//! --   entity_id string : id of the entity
//! ```
//!
//! The four keys stand on the first lines, in this order. Below `params` each line declares one parameter:
//! `NAME KIND [= DEFAULT] : MEANING`, with a space on both sides of `=` and of the colon; a parameter without a default
//! is required. A query without parameters says `-- params: none`. The header ends at the first line that is no comment.

use crate::error::{Error, ErrorKind, Result};
use crate::named::param::{DefaultValue, Param, ParamKind};
use crate::named::params::TENANT;

/// What a header says.
pub(crate) struct Header {
    pub name: &'static str,
    pub question: &'static str,
    pub grain: &'static str,
    pub params: Vec<Param>,
}

/// The header's lines with the place they stand at.
struct Lines<'a> {
    file: &'a str,
    number: usize,
    rest: std::str::Lines<'static>,
}

impl Lines<'_> {
    fn next(&mut self) -> Option<&'static str> {
        self.number += 1;
        self.rest.next()
    }

    fn refuse(&self, reason: impl std::fmt::Display) -> Error {
        Error::new(ErrorKind::BadQueryFile, format!("athena/queries/{}:{}: {reason}", self.file, self.number))
    }

    /// The value of the line that must be `-- KEY: VALUE`.
    fn value(&mut self, key: &str) -> Result<&'static str> {
        let line = self.next().unwrap_or_default();
        line.strip_prefix("-- ")
            .and_then(|line| line.strip_prefix(key)?.strip_prefix(':'))
            .map(str::trim)
            .ok_or_else(|| self.refuse(format_args!("expected `-- {key}: …`, found `{line}`")))
    }

    fn text(&mut self, key: &str) -> Result<&'static str> {
        match self.value(key)? {
            "" => Err(self.refuse(format_args!("`{key}` says nothing"))),
            text => Ok(text),
        }
    }
}

/// Reads the header of `text`, the content of `file`.
pub(crate) fn parse(file: &str, text: &'static str) -> Result<Header> {
    let mut lines = Lines { file, number: 0, rest: text.lines() };
    let name = lines.text("name")?;
    if Some(name) != file.strip_suffix(".sql") {
        return Err(lines.refuse(format_args!("`{name}` is not the name of the file")));
    }
    if !is_name(name) {
        return Err(lines.refuse(format_args!("`{name}` is not a name of lower case letters, digits and _")));
    }
    let question = lines.text("question")?;
    let grain = lines.text("grain")?;
    let params = match lines.value("params")? {
        "" => declarations(&mut lines)?,
        "none" => none(&mut lines)?,
        other => return Err(lines.refuse(format_args!("expected `none` or one parameter a line, found `{other}`"))),
    };
    Ok(Header { name, question, grain, params })
}

fn none(lines: &mut Lines<'_>) -> Result<Vec<Param>> {
    match lines.next() {
        Some(line) if line.starts_with("--") => Err(lines.refuse("a query without parameters declares one")),
        _ => Ok(Vec::new()),
    }
}

fn declarations(lines: &mut Lines<'_>) -> Result<Vec<Param>> {
    let mut params: Vec<Param> = Vec::new();
    while let Some(line) = lines.next().filter(|line| line.starts_with("--")) {
        let line = line.strip_prefix("--   ").ok_or_else(|| {
            lines.refuse(format_args!("expected `--   NAME KIND [= DEFAULT] : MEANING`, found `{line}`"))
        })?;
        let param = declaration(line).map_err(|reason| lines.refuse(reason))?;
        if params.iter().any(|known| known.name == param.name) {
            return Err(lines.refuse(format_args!("`{}` is declared twice", param.name)));
        }
        params.push(param);
    }
    if params.is_empty() {
        return Err(lines.refuse("no parameter is declared; say `-- params: none`"));
    }
    Ok(params)
}

/// Reads `NAME KIND [= DEFAULT] : MEANING`.
fn declaration(line: &'static str) -> std::result::Result<Param, String> {
    let (head, meaning) = line.split_once(" : ").ok_or("the parameter has no ` : MEANING`")?;
    let (head, default) = match head.split_once(" = ") {
        Some((head, default)) => (head, Some(default.trim())),
        None => (head, None),
    };
    let (name, kind) = head.split_once(' ').ok_or("the parameter has no kind")?;
    if !is_name(name) {
        return Err(format!("`{name}` is not a name of lower case letters, digits and _"));
    }
    if name == TENANT {
        return Err(format!("`{TENANT}` is set by the caller's scope and cannot be declared"));
    }
    let kind = ParamKind::parse(kind.trim())?;
    let default = default.map(|default| DefaultValue::parse(kind, default)).transpose()?;
    match meaning.trim() {
        "" => Err("the parameter's meaning says nothing".to_owned()),
        meaning => Ok(Param { name, kind, default, meaning }),
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}
