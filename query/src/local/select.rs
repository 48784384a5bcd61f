//! Free SQL that only reads: one `SELECT` over `requests`, checked on its parsed tree.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, ObjectName, ObjectNamePart, Query, Select as SelectBody, SelectFlavor, SetExpr, Statement, TableFactor,
    Visit, Visitor,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::error::{Error, ErrorKind, Result};

/// The one table that there is.
const TABLE: &str = "requests";
/// Longest statement, bytes.
const LONGEST: usize = 32 << 10;
/// What reading it may take of the stack, bytes.
const STACK: usize = 32 << 20;
/// Most words and signs in it: a chain of operators is as deep as it is long, and trees are walked on the stack.
const MOST_TOKENS: usize = 1_500;
/// Most expressions in it: a plan's cost follows them.
const MOST_EXPRESSIONS: usize = 1_000;
/// How deep parentheses and subqueries may be nested.
const DEEPEST: usize = 40;

/// One `SELECT` that reads `requests` and nothing else.
///
/// What is allowed is listed, what is not is refused: one query of selections, set operations and plain `WITH`, over the
/// table, subqueries and joins of them. No other statement, table, table function, lock, or target to write to.
/// A statement that passes may still ask for more time or memory than there is: run it where that harms nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Select(String);

impl Select {
    /// Checks a statement.
    ///
    /// # Errors
    /// `BadParameter`: it is no such statement; the context says why.
    pub fn parse(sql: &str) -> Result<Self> {
        // A stack of its own: however deep a statement is within its bounds, reading it cannot end the process.
        let checked = std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || Self::check(sql));
            thread.map(|thread| thread.join())
        });
        match checked {
            Ok(Ok(checked)) => checked,
            _ => Err(Error::new(ErrorKind::Engine, "the statement could not be looked at")),
        }
    }

    fn check(sql: &str) -> Result<Self> {
        let refused = |reason: String| Error::new(ErrorKind::BadParameter, reason);
        if sql.len() > LONGEST {
            return Err(refused(format!("a statement may have {LONGEST} bytes")));
        }
        let unread = |error: ParserError| refused(format!("it cannot be read: {error}"));
        let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location();
        let mut tokens = tokens.map_err(|error| unread(error.into()))?;
        tokens.retain(|token| !matches!(token.token, Token::Whitespace(_)));
        if tokens.len() > MOST_TOKENS {
            return Err(refused(format!("a statement may have {MOST_TOKENS} words and signs")));
        }
        let mut parser =
            Parser::new(&GenericDialect {}).with_recursion_limit(DEEPEST).with_tokens_with_locations(tokens);
        let statements = parser.parse_statements().map_err(unread)?;
        let [statement @ Statement::Query(query)] = statements.as_slice() else {
            return Err(refused("one SELECT, and nothing else, can be asked".to_owned()));
        };
        let mut body = &*query.body;
        while let SetExpr::Query(inner) = body {
            body = &*inner.body;
        }
        if matches!(body, SetExpr::Values(_)) {
            return Err(refused("one SELECT, and nothing else, can be asked".to_owned()));
        }
        match statement.visit(&mut Guard::default()) {
            ControlFlow::Continue(()) => Ok(Self(statement.to_string())),
            ControlFlow::Break(reason) => Err(refused(reason)),
        }
    }

    /// The statement, written anew from what was checked.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Looks at every part of a statement.
#[derive(Default)]
struct Guard {
    /// Names that `WITH` gave; lower case, or as they were quoted.
    names: HashSet<String>,
    expressions: usize,
}

impl Visitor for Guard {
    type Break = String;

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<String> {
        allow(matches!(statement, Statement::Query(_)), "nothing but SELECT")
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<String> {
        for name in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.names.insert(folded(&name.alias.name.value, name.alias.name.quote_style));
        }
        allow(query.with.as_ref().is_none_or(|with| !with.recursive), "no WITH RECURSIVE")?;
        allow(query.locks.is_empty() && query.for_clause.is_none(), "no FOR UPDATE, SHARE, XML or JSON")?;
        allow(query.settings.is_none() && query.format_clause.is_none(), "no SETTINGS or FORMAT")?;
        allow(query.pipe_operators.is_empty(), "no pipe operators")?;
        let mut bodies = vec![&*query.body];
        while let Some(body) = bodies.pop() {
            match body {
                SetExpr::Select(select) => plain(select)?,
                SetExpr::SetOperation { left, right, .. } => bodies.extend([&**left, &**right]),
                SetExpr::Query(_) | SetExpr::Values(_) => {}
                _ => return ControlFlow::Break("nothing but SELECT".to_owned()),
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<String> {
        match factor {
            TableFactor::Table {
                name, args, with_hints, version, partitions, json_path, sample, index_hints, ..
            } => {
                allow(args.is_none(), "no table functions")?;
                let plain = with_hints.is_empty() && version.is_none() && partitions.is_empty();
                let plain = plain && json_path.is_none() && sample.is_none() && index_hints.is_empty();
                allow(plain, "no hints, versions, partitions or samples of a table")?;
                self.known(name)
            }
            TableFactor::Derived { sample, .. } => allow(sample.is_none(), "no samples"),
            TableFactor::NestedJoin { .. } => ControlFlow::Continue(()),
            _ => ControlFlow::Break("no tables but requests, and no table functions".to_owned()),
        }
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<String> {
        self.known(relation)
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<String> {
        self.expressions += 1;
        allow(self.expressions <= MOST_EXPRESSIONS, "it has more than 1,000 expressions")?;
        match expr {
            Expr::Function(function) => allow(function.name.0.len() == 1, "no functions of a schema"),
            _ => ControlFlow::Continue(()),
        }
    }
}

impl Guard {
    fn known(&self, name: &ObjectName) -> ControlFlow<String> {
        let known = match name.0.as_slice() {
            // In single quotes stands a text, or with other engines a file.
            [ObjectNamePart::Identifier(name)] if name.quote_style != Some('\'') => {
                let name = folded(&name.value, name.quote_style);
                name == TABLE || self.names.contains(&name)
            }
            _ => false,
        };
        allow(known, &format!("no table but {TABLE}"))
    }
}

fn plain(select: &SelectBody) -> ControlFlow<String> {
    allow(select.into.is_none(), "no SELECT INTO")?;
    allow(select.flavor == SelectFlavor::Standard, "no FROM before SELECT")?;
    allow(select.lateral_views.is_empty() && select.connect_by.is_empty(), "no LATERAL VIEW or CONNECT BY")
}

/// A name as it is looked up: what is not quoted is in lower case.
fn folded(name: &str, quote: Option<char>) -> String {
    if quote.is_some() { name.to_owned() } else { name.to_lowercase() }
}

/// Goes on if it is `allowed`; else says the `rule`.
fn allow(allowed: bool, rule: &str) -> ControlFlow<String> {
    if allowed {
        ControlFlow::Continue(())
    } else {
        ControlFlow::Break(format!("{rule}: a statement may only read {TABLE}"))
    }
}
