//! What a column of the event is: its name, type, nullability and meaning.

/// The types an event's column may have: all that Athena supports for Iceberg without surprises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// UTF-8 text.
    String,
    /// 32-bit signed integer.
    Int,
    /// 64-bit signed integer.
    Bigint,
    /// 64-bit IEEE float.
    Double,
    /// True or false.
    Boolean,
    /// Microseconds since 1970-01-01T00:00:00 UTC, without a zone.
    Timestamp,
}

impl ColumnType {
    /// The type's name, the same in Athena's DDL, in Iceberg's words for it and in the documentation.
    pub const fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Int => "int",
            Self::Bigint => "bigint",
            Self::Double => "double",
            Self::Boolean => "boolean",
            Self::Timestamp => "timestamp",
        }
    }
}

/// Who gives a column its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The column is a field of the event's line.
    Line,
    /// The compactor sets it when the event enters the table.
    Compactor,
}

/// One column of the table `requests`, and unless the compactor sets it, one field of the event's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Field name and column name.
    pub name: &'static str,
    /// Type in the table.
    pub kind: ColumnType,
    /// Whether every event has it.
    pub required: bool,
    /// Who sets it.
    pub origin: Origin,
    /// What it means, in one sentence.
    pub meaning: &'static str,
}
