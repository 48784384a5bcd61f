//! From the stream to Firehose, as Lambda drives it.

use cloud::{Deadline, Function, Invocation, Metrics};
use ingest::aws::{RelayFunction, Targets};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{BATCH, Batch, Flow};

impl Flow {
    /// Hands the relay what is new in the stream; gives how many records were read. A batch that fails stays where it
    /// is, and comes again the next time.
    ///
    /// # Errors
    /// A batch failed, as a whole or from some record on.
    pub async fn relay(&self) -> Result<usize, String> {
        let mut stream = self.stream.lock().await;
        let mut read = 0;
        for batch in stream.next(BATCH).await? {
            let answer = self.handle(&batch).await?;
            read += batch.read();
            if let Some(failed) = stream.answered(&batch, &answer)? {
                return Err(format!("the batch comes again from record {failed} on"));
            }
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
            false => self.invoke(batch).await,
        }
    }

    /// A new instance for each batch, as after a cold start.
    async fn invoke(&self, batch: &Batch) -> Result<Value, String> {
        let targets = Targets { bucket: self.names.bucket.clone(), stream: self.names.delivery.clone() };
        let (deadline, metrics) = (Deadline::default(), Metrics::new("relay", "test"));
        let relay = RelayFunction::new(&self.settings, targets, deadline, metrics);
        let event = RawValue::from_string(batch.event().to_string()).expect("JSON");
        let invocation = Invocation { request_id: "1".to_owned(), trace_id: None, cold_start: true };
        let answer = relay.handle(event, &invocation).await.map_err(|error| error.to_string())?;
        serde_json::to_value(answer).map_err(|error| error.to_string())
    }
}
