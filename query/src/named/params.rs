//! Parameters bound to a query: checked, typed, with defaults resolved.

use std::collections::BTreeMap;

use event::Timestamp;

use crate::error::{Error, ErrorKind, Result};
use crate::named::catalogue::NamedQuery;
use crate::named::param::{DefaultValue, ParamKind, ParamValue};
use crate::sql::{self, Piece};

/// The placeholder that every query has and nobody can set by name.
pub(crate) const TENANT: &str = "tenant";

/// On whose behalf, and when, a query runs: what the asker cannot choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// What `now` means in times.
    pub now: Timestamp,
    /// The tenant whose requests are seen; `None` is the operator, who sees all.
    pub tenant: Option<String>,
}

impl Scope {
    /// The operator's scope: every tenant.
    pub fn operator(now: Timestamp) -> Self {
        Self { now, tenant: None }
    }

    /// One tenant's scope.
    pub fn tenant(now: Timestamp, tenant: impl Into<String>) -> Self {
        Self { now, tenant: Some(tenant.into()) }
    }
}

/// A value for each placeholder of one query; made by [`NamedQuery::bind`] only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params {
    query: &'static str,
    values: BTreeMap<&'static str, (ParamKind, ParamValue)>,
}

/// A statement and the values that its question marks stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// SQL with `?` for each value.
    pub statement: String,
    /// The values, as SQL texts in quotes.
    pub parameters: Vec<String>,
}

impl Params {
    /// The value bound to the parameter called `name`.
    pub fn get(&self, name: &str) -> Option<&ParamValue> {
        self.values.get(name).map(|(_, value)| value)
    }
}

impl NamedQuery {
    /// Checks the values that were `given` by name, and resolves the defaults of the others.
    ///
    /// An empty value of a parameter that may be null is null.
    ///
    /// # Errors
    /// `BadParameter`, naming the parameter that is unknown, given twice, missing or malformed.
    pub fn bind<'a>(&self, given: impl IntoIterator<Item = (&'a str, &'a str)>, scope: &Scope) -> Result<Params> {
        let mut values = BTreeMap::new();
        for (name, text) in given {
            let param = self.param(name).ok_or_else(|| self.unknown(name))?;
            let nullable = param.default == Some(DefaultValue::Null);
            let value = match text {
                "" if nullable => ParamValue::Null,
                text => param.kind.read(text, scope.now).map_err(|reason| bad(param.name, &reason))?,
            };
            if values.insert(param.name, (param.kind, value)).is_some() {
                return Err(bad(param.name, "it is given twice"));
            }
        }
        for param in &self.params {
            if !values.contains_key(param.name) {
                let default = param.default.as_ref();
                let default = default.ok_or_else(|| bad(param.name, &format!("it is required: {}", param.meaning)))?;
                values.insert(param.name, (param.kind, default.at(scope.now)));
            }
        }
        let tenant = match &scope.tenant {
            Some(tenant) => ParamKind::String.read(tenant, scope.now).map_err(|reason| bad(TENANT, &reason))?,
            None => ParamValue::Null,
        };
        values.insert(TENANT, (ParamKind::String, tenant));
        Ok(Params { query: self.name, values })
    }

    /// The statement with every placeholder replaced by its value as a typed literal.
    ///
    /// Placeholders are found by reading the SQL's tokens: a colon in text, in a comment, in a quoted name or in a cast
    /// is left alone, and so is whatever a value holds.
    ///
    /// # Errors
    /// `BadParameter` if `params` were bound to another query.
    pub fn render(&self, params: &Params) -> Result<String> {
        self.replace(self.sql, params, |kind, value| value.literal(kind))
    }

    /// The statement without its header and with a question mark for each value, and the values in the order of the
    /// marks, each a quoted text that the statement casts to the type it wants.
    ///
    /// What an engine would not take as a value stands in the statement: nulls, limits, and texts that are too long once
    /// they are quoted.
    ///
    /// # Errors
    /// `BadParameter` if `params` were bound to another query.
    pub fn prepare(&self, params: &Params) -> Result<Prepared> {
        let mut parameters = Vec::new();
        let statement = self.replace(self.statement(), params, |kind, value| match value.parameter(kind) {
            Some((expression, parameter)) => {
                parameters.push(parameter);
                expression
            }
            None => value.literal(kind),
        })?;
        Ok(Prepared { statement, parameters })
    }

    /// The SQL without the comments that it begins with.
    fn statement(&self) -> &'static str {
        let mut rest = self.sql;
        while let Some(line) = rest.lines().next().filter(|line| line.is_empty() || line.starts_with("--")) {
            rest = rest[line.len()..].trim_start_matches(['\r', '\n']);
        }
        rest
    }

    fn replace(
        &self,
        sql: &str,
        params: &Params,
        mut with: impl FnMut(ParamKind, &ParamValue) -> String,
    ) -> Result<String> {
        if params.query != self.name {
            let context = format!("the parameters of {} do not fit {}", params.query, self.name);
            return Err(Error::new(ErrorKind::BadParameter, context));
        }
        let mut statement = String::with_capacity(sql.len() + 256);
        for piece in sql::pieces(sql) {
            match piece {
                Piece::Text(text) => statement.push_str(text),
                Piece::Placeholder(name) => {
                    let (kind, value) = params.values.get(name).ok_or_else(|| self.unknown(name))?;
                    statement.push_str(&with(*kind, value));
                }
            }
        }
        Ok(statement)
    }

    /// Every placeholder is declared, every declared parameter used, and the tenant asked for.
    pub(crate) fn check_placeholders(&self, file: &str) -> Result<()> {
        let refuse = |line: usize, reason: String| {
            Error::new(ErrorKind::BadQueryFile, format!("athena/queries/{file}:{line}: {reason}"))
        };
        let mut used = Vec::new();
        let mut line = 1;
        for piece in sql::pieces(self.sql) {
            match piece {
                Piece::Text(text) => line += text.matches('\n').count(),
                Piece::Placeholder(name) if name == TENANT || self.param(name).is_some() => used.push(name),
                Piece::Placeholder(name) => return Err(refuse(line, format!("`:{name}` is not declared"))),
            }
        }
        if let Some(param) = self.params.iter().find(|param| !used.contains(&param.name)) {
            return Err(refuse(line, format!("the parameter `{}` is not used", param.name)));
        }
        if !used.contains(&TENANT) {
            return Err(refuse(line, format!("`:{TENANT}` is not used: the query would show every tenant's requests")));
        }
        Ok(())
    }

    fn unknown(&self, name: &str) -> Error {
        let known: Vec<&str> = self.params.iter().map(|param| param.name).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        let context = format!("{} has no parameter {name:.64}; it takes {known}", self.name);
        Error::new(ErrorKind::BadParameter, context)
    }
}

fn bad(name: &str, reason: &str) -> Error {
    Error::new(ErrorKind::BadParameter, format!("parameter {name}: {reason}"))
}
