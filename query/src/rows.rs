//! Rows as every engine gives them.

use event::Timestamp;

/// What the cells of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellKind {
    /// Text, JSON and dates.
    Text,
    /// Whole numbers of up to 64 bits.
    Int,
    /// 64-bit floating point numbers.
    Float,
    /// True or false.
    Bool,
    /// Instants of UTC.
    Timestamp,
}

impl CellKind {
    /// The kind's name in answers: `string`, `bigint`, `double`, `boolean` or `timestamp`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Int => "bigint",
            Self::Float => "double",
            Self::Bool => "boolean",
            Self::Timestamp => "timestamp",
        }
    }
}

/// One value of an answer. It is null or of its column's kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// No value.
    Null,
    /// Text.
    Text(String),
    /// A whole number.
    Int(i64),
    /// A floating point number.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// An instant of UTC.
    Timestamp(Timestamp),
}

/// Name and kind of an answer's column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowColumn {
    /// The name that the query gives it.
    pub name: String,
    /// What its cells are.
    pub kind: CellKind,
}

/// The answer to a query: each row has one cell per column.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    /// The columns, in the query's order.
    pub columns: Vec<RowColumn>,
    /// The rows, in the query's order.
    pub rows: Vec<Vec<Cell>>,
    /// Whether the engine's row cap cut rows off.
    pub truncated: bool,
    /// Bytes of stored files that were read for it; rows not yet in files count nothing.
    pub bytes_read: u64,
    /// What the engine charges for it, US dollars at list price; `None` if it charges nothing.
    pub cost_usd: Option<f64>,
}
