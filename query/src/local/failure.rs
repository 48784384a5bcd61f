//! DataFusion's and Iceberg's errors, translated once.

use datafusion::common::{Column, SchemaError};
use datafusion::error::DataFusionError;

use crate::error::{Error, ErrorKind};

/// The crate's error for one of DataFusion's.
///
/// An error of this crate that went through DataFusion comes out with its kind and its words.
pub(crate) fn of_datafusion(error: DataFusionError) -> Error {
    let kind = match error.find_root() {
        DataFusionError::ResourcesExhausted(_) => ErrorKind::OutOfMemory,
        DataFusionError::External(inner) => match inner.downcast_ref::<Error>() {
            Some(inner) => return Error::new(inner.kind(), inner.to_string()),
            None => ErrorKind::Engine,
        },
        _ => ErrorKind::Engine,
    };
    let context = match kind {
        ErrorKind::OutOfMemory => "the query needs more memory than it may have",
        _ => "the query failed",
    };
    Error::new(kind, context).with_source(reason(error))
}

/// What was wrong, in few words where the statement is to blame: DataFusion would list every column of the table.
fn reason(error: DataFusionError) -> Box<dyn std::error::Error + Send + Sync> {
    match error.find_root() {
        DataFusionError::SchemaError(schema, _) => match schema.as_ref() {
            SchemaError::FieldNotFound { field, valid_fields } => no_column(field, valid_fields).into(),
            _ => error.into(),
        },
        DataFusionError::Plan(text) => text.replace('\n', " ").into(),
        _ => error.into(),
    }
}

fn no_column(field: &Column, columns: &[Column]) -> String {
    let name = field.name();
    let likeness = |column: &Column| strsim::normalized_damerau_levenshtein(column.name(), name);
    let nearest = columns.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let is_word = name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_');
    match (nearest.filter(|nearest| is_word && likeness(nearest) >= 0.5), &field.relation) {
        (Some(nearest), Some(table)) if nearest.name() == name => format!("no table is named {table} here"),
        (Some(nearest), _) => format!("no column is named {name}; did you mean {}?", nearest.name()),
        (None, _) => {
            format!("no column is named {name}; daybook schema lists them, and text stands in 'single quotes'")
        }
    }
}

/// The crate's error for one of Iceberg's.
pub(crate) fn of_iceberg(error: iceberg::Error) -> Error {
    Error::new(ErrorKind::Engine, "the table cannot be read").with_source(error)
}

/// The way of this crate's error through DataFusion.
pub(crate) fn through(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
