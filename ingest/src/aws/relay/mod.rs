//! The function `relay`: changes from the table's stream into the raw log.

mod batch;
mod bus;
mod entry;
mod poison;
mod uploads;

use std::time::Duration;

use cloud::sdk::{self, SdkConfig};
use cloud::{Deadline, Failure, Function, Ground, Invocation, Metrics, Refusal};
use serde::Serialize;
use serde_json::value::RawValue;

use super::config::{self, Targets};
use super::objects::Objects;
use super::{Bucket, DynamoStore, FirehoseLines, S3Sink, pack};
use crate::error::{Error, ErrorKind, Result};
use crate::system::System;
use batch::{Batch, Change, Content};
use bus::Bus;

pub use bus::BusSettings;
pub use uploads::Uploads;

/// Least time in which something new is begun: what is begun should end.
const LEAST_TIME: Duration = Duration::from_millis(250);

/// Relays the changes of a stream's batches, in their order, at least once.
///
/// What Firehose does not take goes into a raw object of its own. What is no change's line is kept in quarantine with
/// its reason, and the rest goes on. The first thing that can be neither relayed nor kept ends the batch: the stream
/// starts again from there, and a line that comes twice is in the table once (I2).
///
/// If there is a bus, it is told of what was chosen once the lines are in the log; what it does not take comes again with
/// its line for some minutes, and is then kept (`relay/bus.rs`).
///
/// It also hears from S3 of contents that came: each becomes a change of its asset.
#[derive(Debug)]
pub struct RelayFunction {
    firehose: FirehoseLines,
    objects: S3Sink,
    quarantine: Objects,
    uploads: Option<Uploads>,
    bus: Option<Bus>,
    deadline: Deadline,
    metrics: Metrics,
    system: System,
}

/// Which part of a batch is to come again: from the first of these on.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failures {
    batch_item_failures: Vec<ItemFailure>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct ItemFailure {
    /// A record's sequence number; an empty one is the whole batch.
    item_identifier: String,
}

impl RelayFunction {
    /// Reads the settings and makes the clients; makes no request.
    ///
    /// # Errors
    /// A setting is missing or makes no sense.
    pub async fn build(ground: &Ground) -> Result<Self, Refusal> {
        let targets = Targets::read(&ground.env)?;
        let store = config::store(&ground.env, &targets.bucket)?;
        let settings = config::settings(&ground.env, ground.environment.clone())?;
        let bus = BusSettings::read(&ground.env)?;
        let (sdk, deadline, system) = (sdk::config().await, ground.deadline.clone(), System::real());
        let assets = Bucket::new(&sdk, &targets.bucket, deadline.clone());
        let (dynamodb, s3) = (aws_sdk_dynamodb::Client::new(&sdk), aws_sdk_s3::Client::new(&sdk));
        let store = DynamoStore::new(dynamodb, s3, store, system, deadline.clone());
        let uploads = Uploads::new(store, assets, settings, system);
        let relay = Self::new(&sdk, targets, deadline, ground.metrics.clone()).with_uploads(uploads);
        Ok(match bus {
            Some(bus) => relay.with_bus(aws_sdk_eventbridge::Client::new(&sdk), bus),
            None => relay,
        })
    }

    /// The same, telling a bus as well.
    #[must_use]
    pub fn with_bus(self, client: aws_sdk_eventbridge::Client, settings: BusSettings) -> Self {
        let bus = Bus::new(client, settings, self.quarantine.clone(), self.deadline.clone());
        Self { bus: Some(bus), ..self }
    }

    /// The same, recording uploads as well.
    #[must_use]
    pub fn with_uploads(self, uploads: Uploads) -> Self {
        Self { uploads: Some(uploads), ..self }
    }

    /// The function on clients of these settings.
    pub fn new(sdk: &SdkConfig, targets: Targets, deadline: Deadline, metrics: Metrics) -> Self {
        let (firehose, objects, quarantine) = targets.log(sdk, &deadline);
        Self { firehose, objects, quarantine, uploads: None, bus: None, deadline, metrics, system: System::real() }
    }

    /// Relays a batch; gives the sequence number of the first record that is to come again.
    async fn relay(&self, batch: &Batch) -> Option<String> {
        let mut rest = &batch.changes[..];
        while let Some(first) = rest.first() {
            let (done, next) = rest.split_at(together(rest));
            let relayed = match &first.content {
                _ if is_over(&self.deadline) => Err(Error::new(ErrorKind::Unavailable, "the time is nearly over")),
                Content::Line { .. } => self.put(done).await,
                Content::Poison { reason } => self.keep(batch, first, reason).await,
            };
            if let Err(error) = relayed {
                tracing::error!(%error, records = rest.len(), "changes could not be relayed; they come again");
                self.metrics.count("RelayFailures", rest.len() as u64);
                return Some(first.sequence.clone());
            }
            rest = next;
        }
        None
    }

    /// Hands lines to Firehose, in half of the time that is left; where that fails, writes them as one object. Then the
    /// bus is told of them.
    async fn put(&self, changes: &[Change]) -> Result<()> {
        let lines = || changes.iter().filter_map(Change::line);
        let slow = |_| Error::new(ErrorKind::Unavailable, "Firehose took more than half of the time");
        let put = self.firehose.put(lines());
        let put = match self.deadline.remaining() {
            Some(left) => tokio::time::timeout(left / 2, put).await.unwrap_or_else(|elapsed| Err(slow(elapsed))),
            None => put.await,
        };
        if let Err(error) = put {
            tracing::warn!(%error, lines = changes.len(), "Firehose failed; the lines go to an object of their own");
            self.metrics.count("FallbackWrites", 1);
            self.objects.put_lines(changes.first().map_or("", |first| &first.event_id), lines()).await?;
        }
        self.metrics.count("RelayedLines", changes.len() as u64);
        if let Some(bus) = &self.bus {
            let outcome = bus.tell(lines()).await?;
            self.metrics.count("Notices", outcome.told);
            self.metrics.count("NoticesKept", outcome.kept);
        }
        Ok(())
    }

    async fn keep(&self, batch: &Batch, change: &Change, reason: &str) -> Result<()> {
        tracing::error!(
            sequence = change.sequence,
            reason,
            "a record of the stream is no change; it is kept in quarantine"
        );
        let object = poison::object(batch, change, reason, (self.system.now)())?;
        self.quarantine.put(&object.key, object.body).await?;
        self.metrics.count("PoisonRecords", 1);
        Ok(())
    }
}

/// How many of the first changes go together: lines as far as one call of Firehose holds them, else one.
fn together(changes: &[Change]) -> usize {
    let mut bytes = 0;
    let fit = changes.iter().take_while(|change| {
        // With its line feed; a record's worth is left for what packing leaves free at the end of each.
        bytes += change.line().map_or(usize::MAX / 2, |line| line.len() + 1);
        bytes <= pack::CALL - pack::RECORD
    });
    fit.count().max(1)
}

fn is_over(deadline: &Deadline) -> bool {
    deadline.remaining().is_some_and(|left| left < LEAST_TIME)
}

impl Function for RelayFunction {
    type Answer = Failures;

    async fn handle(&self, event: Box<RawValue>, invocation: &Invocation) -> std::result::Result<Failures, Failure> {
        if uploads::is_notice(event.get()) {
            let uploads = self.uploads.as_ref().ok_or("nobody here records uploads")?;
            let recorded = uploads.record(event.get(), invocation).await.map_err(|error| error.to_string())?;
            self.metrics.count("RecordedUploads", recorded);
            return Ok(Failures { batch_item_failures: Vec::new() });
        }
        let batch = Batch::read(event.get())?;
        let first = self.relay(&batch).await;
        let batch_item_failures = first.into_iter().map(|item_identifier| ItemFailure { item_identifier }).collect();
        Ok(Failures { batch_item_failures })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(size: Option<usize>) -> Change {
        let content = match size {
            Some(size) => Content::Line { line: vec![b'x'; size] },
            None => Content::Poison { reason: "poison".to_owned() },
        };
        Change { sequence: String::new(), event_id: String::new(), number: 1, content, record: "{}".to_owned() }
    }

    #[test]
    fn lines_go_together_as_far_as_a_call_and_poison_alone() {
        let check = |sizes: &[Option<usize>], expect: usize| {
            let changes: Vec<Change> = sizes.iter().copied().map(change).collect();
            assert_eq!(together(&changes), expect, "{sizes:?}");
        };
        let most = pack::CALL - pack::RECORD;
        check(&[Some(1), Some(2), None, Some(3)], 2);
        check(&[None, Some(1)], 1);
        check(&[None, None], 1);
        check(&[Some(most - 3), Some(1), Some(1)], 2);
        check(&[Some(2 * most), Some(1)], 1);
    }

    #[test]
    fn nothing_new_is_begun_when_the_time_is_nearly_over() {
        let deadline = Deadline::default();
        assert!(!is_over(&deadline));
        let now = tokio::time::Instant::now().into_std();
        deadline.set(Some(now + Duration::from_secs(60)));
        assert!(!is_over(&deadline));
        deadline.set(Some(now + Duration::from_millis(100)));
        assert!(is_over(&deadline));
    }
}
