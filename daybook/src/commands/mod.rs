//! The commands, one a file.

pub mod compact;
pub mod cost;
pub mod history;
pub mod import;
pub mod lake;
pub mod quarantine;
pub mod query;
pub mod schema;
pub mod serve;
pub mod show;
pub mod verify;
