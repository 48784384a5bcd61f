//! The lake of a deployment: its files in a bucket, its catalog in Glue.

use std::sync::Arc;

use aws_sdk_s3::Client;
use event::key::LAKE;

use super::bucket::Bucket;
use super::{GlueCatalog, storage};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::Lake;

impl Lake {
    /// Opens the lake under `s3://<bucket>/lake/`, whose table is `requests` of the Glue database `database`.
    ///
    /// Makes the table if it is absent, and the database, too, if that is allowed; who may not make one needs one that
    /// is there. Must be called within the tokio runtime that the lake will be used in.
    ///
    /// # Errors
    /// Glue or S3 fail, or the table is of another version or lies elsewhere.
    pub async fn on_aws(s3: Client, glue: aws_sdk_glue::Client, bucket: &str, database: &str) -> Result<Self> {
        let lake = Self::named_on_aws(s3, glue, bucket, database)?;
        lake.create_if_absent().await?;
        lake.checked(bucket, database).await
    }

    /// Opens the same lake for who comes to read: a table that is not there is a slip of the pen.
    ///
    /// # Errors
    /// As [`on_aws`](Self::on_aws), or there is no such table.
    pub async fn existing_on_aws(s3: Client, glue: aws_sdk_glue::Client, bucket: &str, database: &str) -> Result<Self> {
        let lake = Self::named_on_aws(s3, glue, bucket, database)?;
        if !lake.exists().await? {
            let message =
                format!("there is no table {database}.requests: the compactor makes it; look at the database's name");
            return Err(Error::new(ErrorKind::Table, message));
        }
        lake.checked(bucket, database).await
    }

    fn named_on_aws(s3: Client, glue: aws_sdk_glue::Client, bucket: &str, database: &str) -> Result<Self> {
        let files = storage::file_io(Bucket::new(s3, bucket));
        let catalog = GlueCatalog::new(glue, files, &format!("s3://{bucket}/{LAKE}"));
        Ok(Self::named(Arc::new(catalog.map_err(Error::lake("open the catalog"))?), database))
    }

    async fn checked(self, bucket: &str, database: &str) -> Result<Self> {
        let (lake, warehouse) = (self, format!("s3://{bucket}/{LAKE}"));
        let table = lake.load_checked().await?;
        let place = table.metadata().location();
        if place.starts_with(&warehouse) {
            return Ok(lake);
        }
        let message =
            format!("the table {database}.requests lies at {place}, not under {warehouse}: one of the two is wrong");
        Err(Error::new(ErrorKind::Table, message))
    }
}
