//! Named SQL in, the same rows out of either engine.
//!
//! A question is a file in `athena/queries`. Deciding is apart from doing: [`named`] reads the files, checks parameters
//! and renders statements without any engine; a [`QueryEngine`] runs them. `local` is the engine of one machine, `aws` the
//! one of a cloud.

#[cfg(feature = "aws")]
pub mod aws;
pub mod engine;
pub mod error;
pub mod format;
#[cfg(feature = "local")]
pub mod local;
pub mod named;
pub mod rows;
mod sql;

pub use engine::QueryEngine;
pub use error::{Error, ErrorKind, Result};
pub use named::{NamedQuery, Param, ParamKind, Params, Scope};
pub use rows::{Cell, CellKind, RowColumn, Rows};
