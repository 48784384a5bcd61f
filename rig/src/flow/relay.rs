//! From the stream to Firehose, as Lambda drives it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cloud::Deadline;
use ingest::System;
use ingest::aws::{FirehoseLines, S3Sink, line_of};
use serde_json::{Value, json};

use super::{BATCH, Batch, Flow};

impl Flow {
    /// Hands the relay what is new in the stream; gives how many records were read. A batch that fails stays where it
    /// is, and comes again the next time.
    ///
    /// # Errors
    /// A batch failed as a whole.
    pub async fn relay(&self) -> Result<usize, String> {
        let mut stream = self.stream.lock().await;
        let mut read = 0;
        for batch in stream.next(BATCH).await? {
            let answer = self.handle(&batch).await?;
            read += batch.read();
            stream.answered(&batch, &answer)?;
        }
        Ok(read)
    }

    /// The same by a relay that dies before it can say how far it came: the next one is handed the same again.
    ///
    /// # Errors
    /// As [`relay`](Self::relay).
    pub async fn relay_without_moving_on(&self) -> Result<(), String> {
        let stream = self.stream.lock().await;
        for batch in stream.next(BATCH).await? {
            self.handle(&batch).await?;
        }
        Ok(())
    }

    async fn handle(&self, batch: &Batch) -> Result<Value, String> {
        match batch.is_empty() {
            true => Ok(json!({})),
            false => self.invoke_relay(&batch.event()).await,
        }
    }
}

impl Flow {
    /// The road of a batch, until the relay's own function is here to take it: into Firehose, else into one object.
    async fn invoke_relay(&self, event: &Value) -> Result<Value, String> {
        let (system, deadline) = (System::real(), Deadline::default());
        let lines = lines(event)?;
        let firehose = aws_sdk_firehose::Client::new(&self.settings);
        let firehose = FirehoseLines::new(firehose, &self.names.delivery, system, deadline.clone());
        if firehose.put(&lines).await.is_err() {
            let s3 = S3Sink::new(aws_sdk_s3::Client::new(&self.settings), &self.names.bucket, system, deadline);
            s3.put_lines("relay", &lines).await.map_err(|error| error.to_string())?;
        }
        Ok(json!({ "batchItemFailures": [] }))
    }
}

/// The lines that a batch's items hold.
fn lines(event: &Value) -> Result<Vec<Vec<u8>>, String> {
    let records = event["Records"].as_array().map(Vec::as_slice).unwrap_or_default();
    let line = |record: &Value| {
        let image = &record["dynamodb"]["NewImage"];
        let packed = image["line"]["B"].as_str().and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default();
        line_of(&packed, image["dictionary"]["N"].as_str().unwrap_or_default()).map_err(|error| error.to_string())
    };
    records.iter().map(line).collect()
}
