//! The engine of one machine: DataFusion over the table's own files and the rows not yet in them.

mod convert;
mod engine;
mod failure;
mod files;
mod footers;
mod lag;
mod prune;
mod reader;
mod schema;
mod select;
mod shims;
mod table;

pub use engine::{Limits, LocalEngine, Snapshot};
pub use schema::schema;
pub use select::Select;
