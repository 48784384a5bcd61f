//! Both ports on AWS: changes in a DynamoDB table, everything else through Firehose, or straight to S3.

mod append;
mod assets;
mod audit;
mod config;
mod errors;
mod fallback;
mod firehose;
mod function;
mod item;
mod key_table;
mod keys;
mod line;
mod list;
mod objects;
pub mod pack;
mod questions;
mod relay;
mod retry;
mod s3_sink;
mod store;
pub mod table;

pub use assets::Bucket;
pub use audit::{Found, StoreAudit};
pub use config::Targets;
pub use fallback::Fallback;
pub use firehose::{FirehoseLines, FirehoseSink};
pub use function::IngestFunction;
pub use item::line_of;
pub use key_table::KeyTable;
pub use relay::{RelayFunction, Uploads};
pub use s3_sink::S3Sink;
pub use store::{DynamoSettings, DynamoStore};
