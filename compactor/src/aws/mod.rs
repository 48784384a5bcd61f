//! The compactor on AWS: the raw log and the lake's files on S3, the catalog in Glue.
//!
//! Every request goes through the clients of one `SdkConfig`: one HTTP stack, one set of credentials, retries and time
//! limits, and one place where a test can count, break and delay.

mod body;
mod bucket;
mod function;
mod gateway;
mod glue;
mod lake;
mod pace;
mod raw_log;
mod settings;
mod storage;
mod upload;

use std::error::Error;

use cloud::sdk::SdkConfig;

use crate::Lake;

pub use function::{CompactorFunction, System};
pub use glue::GlueCatalog;
pub use raw_log::S3RawLog;

/// The raw log in `bucket`, as the SDK was told to reach it.
pub fn raw_log(sdk: &SdkConfig, bucket: &str) -> S3RawLog {
    S3RawLog::new(aws_sdk_s3::Client::new(sdk), bucket)
}

/// The lake in `bucket` and the Glue database `database`, as [`Lake::on_aws`] opens it.
///
/// # Errors
/// As [`Lake::on_aws`].
pub async fn lake(sdk: &SdkConfig, bucket: &str, database: &str) -> crate::Result<Lake> {
    Lake::on_aws(aws_sdk_s3::Client::new(sdk), aws_sdk_glue::Client::new(sdk), bucket, database).await
}

/// The same lake for who comes to read, as [`Lake::existing_on_aws`] opens it.
///
/// # Errors
/// As [`Lake::existing_on_aws`].
pub async fn existing_lake(sdk: &SdkConfig, bucket: &str, database: &str) -> crate::Result<Lake> {
    Lake::existing_on_aws(aws_sdk_s3::Client::new(sdk), aws_sdk_glue::Client::new(sdk), bucket, database).await
}

/// An error and its causes in one line: the SDK's own `Display` says no more than "service error".
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}
