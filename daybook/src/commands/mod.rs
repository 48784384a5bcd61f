//! The commands, one a file.

pub mod compact;
pub mod cost;
pub mod doctor;
pub mod export;
pub mod history;
pub mod import;
pub mod keys;
pub mod lake;
pub mod notices;
pub mod quarantine;
pub mod query;
pub mod replay;
pub mod schema;
pub mod serve;
pub mod shell;
pub mod show;
pub mod sql;
pub mod tail;
pub mod verify;
