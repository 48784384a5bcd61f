//! DataFusion's and Iceberg's errors, translated once.

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
    Error::new(kind, context).with_source(error)
}

/// The crate's error for one of Iceberg's.
pub(crate) fn of_iceberg(error: iceberg::Error) -> Error {
    Error::new(ErrorKind::Engine, "the table cannot be read").with_source(error)
}

/// The way of this crate's error through DataFusion.
pub(crate) fn through(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
