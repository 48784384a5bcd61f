//! Rows to Parquet: [`Encoder`] makes row groups, on any thread; [`DataFileWriter`] puts them into a file, one behind
//! the other.

mod encode;
mod file;
mod properties;
mod statistics;

pub(crate) use encode::{Encoder, Group, batch_is_full};
pub(crate) use file::DataFileWriter;
#[cfg(feature = "local")]
pub(crate) use file::data_path;
pub(crate) use properties::GROUP_ROWS;
