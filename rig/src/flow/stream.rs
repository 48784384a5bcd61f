//! What stands between a table and the relay on AWS: the stream's poller, which hands over batches until they are done.

use std::collections::HashMap;

use aws_sdk_dynamodbstreams::Client;
use aws_sdk_dynamodbstreams::types::{AttributeValue, Record, ShardIteratorType};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// A place in the one stream of a table: everything before it has been handled.
///
/// It does what Lambda does: from the oldest record on (`TRIM_HORIZON`), only what the filter lets through, batch after
/// batch; after a failed one again from the first record that is reported.
#[derive(Debug)]
pub struct Stream {
    client: Client,
    arn: String,
    /// The last record that was handled, of each shard.
    handled: HashMap<String, String>,
}

/// Some records of one shard, in order.
#[derive(Debug, Clone)]
pub struct Batch {
    shard: String,
    /// The last record that was read, whether or not the filter let it through.
    last: String,
    read: usize,
    records: Vec<(String, Value)>,
}

impl Batch {
    /// The event as Lambda hands it to a function.
    pub fn event(&self) -> Value {
        json!({ "Records": self.records.iter().map(|(_, record)| record).collect::<Vec<_>>() })
    }

    /// Whether the filter let nothing through.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// How many records were read for it, whether or not the filter let them through.
    pub fn read(&self) -> usize {
        self.read
    }
}

impl Stream {
    /// The stream of a table, from its first record on.
    pub fn new(client: Client, arn: impl Into<String>) -> Self {
        Self { client, arn: arn.into(), handled: HashMap::new() }
    }

    /// The next batches, one for each shard that has any: at most `limit` records of each.
    ///
    /// # Errors
    /// The stream cannot be read.
    pub async fn next(&self, limit: usize) -> Result<Vec<Batch>, String> {
        let described = self.client.describe_stream().stream_arn(&self.arn).send().await.map_err(said)?;
        let shards = described.stream_description.and_then(|stream| stream.shards).unwrap_or_default();
        let mut batches = Vec::new();
        for id in shards.iter().filter_map(|shard| shard.shard_id()) {
            if let Some(batch) = self.next_of(id, limit).await? {
                batches.push(batch);
            }
        }
        Ok(batches)
    }

    async fn next_of(&self, shard: &str, limit: usize) -> Result<Option<Batch>, String> {
        let iterator = self.client.get_shard_iterator().stream_arn(&self.arn).shard_id(shard);
        let iterator = match self.handled.get(shard) {
            Some(last) => iterator.shard_iterator_type(ShardIteratorType::AfterSequenceNumber).sequence_number(last),
            None => iterator.shard_iterator_type(ShardIteratorType::TrimHorizon),
        };
        let mut position = iterator.send().await.map_err(said)?.shard_iterator;
        // A page may be empty though others follow.
        for _ in 0..5 {
            let Some(iterator) = position else { break };
            let page = self.client.get_records().shard_iterator(iterator).limit(i32::try_from(limit).unwrap_or(1_000));
            let page = page.send().await.map_err(said)?;
            if let Some(last) = page.records().last().and_then(number) {
                let records = page.records().iter().filter(|record| is_wanted(record));
                let records =
                    records.filter_map(|record| Some((number(record)?, json_of(record, &self.arn)))).collect();
                return Ok(Some(Batch { shard: shard.to_owned(), last, read: page.records().len(), records }));
            }
            position = page.next_shard_iterator;
        }
        Ok(None)
    }

    /// Moves on as the function's answer says: past the batch, or up to the first record that is reported as failed,
    /// whose index it gives.
    ///
    /// # Errors
    /// The answer names a record that the batch does not have: Lambda would take the whole batch for failed.
    pub fn answered(&mut self, batch: &Batch, answer: &Value) -> Result<Option<usize>, String> {
        let failures = answer["batchItemFailures"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut first = None;
        for failure in failures {
            let failed = failure["itemIdentifier"].as_str().unwrap_or_default();
            let index = batch.records.iter().position(|(number, _)| number == failed);
            let index = index.ok_or_else(|| format!("the batch has no record {failed:?}"))?;
            first = Some(first.map_or(index, |first: usize| first.min(index)));
        }
        let handled = match first {
            None => Some(&batch.last),
            Some(index) => index.checked_sub(1).map(|before| &batch.records[before].0),
        };
        if let Some(last) = handled {
            self.handled.insert(batch.shard.clone(), last.clone());
        }
        Ok(first)
    }
}

/// The filter of the relay's trigger: events that were put, not states, kept answers, or removals by age.
fn is_wanted(record: &Record) -> bool {
    let sk = record.dynamodb().and_then(|it| it.keys()).and_then(|keys| keys.get("sk")?.as_s().ok().cloned());
    record.event_name().is_some_and(|name| name.as_str() == "INSERT") && sk.is_some_and(|sk| sk.starts_with("E#"))
}

fn number(record: &Record) -> Option<String> {
    record.dynamodb()?.sequence_number().map(str::to_owned)
}

/// A record as it stands in Lambda's event.
fn json_of(record: &Record, arn: &str) -> Value {
    let item = |item: Option<&HashMap<String, AttributeValue>>| -> Value {
        let attributes = item.into_iter().flatten().map(|(name, value)| (name.clone(), attribute(value)));
        Value::Object(attributes.collect())
    };
    let change = record.dynamodb();
    json!({
        "eventID": record.event_id(),
        "eventName": record.event_name().map(|name| name.as_str()),
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime":
                change.and_then(|it| it.approximate_creation_date_time()).map(|time| time.as_secs_f64()),
            "Keys": item(change.and_then(|it| it.keys())),
            "NewImage": item(change.and_then(|it| it.new_image())),
            "SequenceNumber": change.and_then(|it| it.sequence_number()),
            "SizeBytes": change.and_then(|it| it.size_bytes()),
            "StreamViewType": "NEW_IMAGE",
        },
        "eventSourceARN": arn,
    })
}

fn attribute(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!({ "S": text }),
        AttributeValue::N(number) => json!({ "N": number }),
        AttributeValue::B(bytes) => json!({ "B": STANDARD.encode(bytes.as_ref()) }),
        AttributeValue::Bool(truth) => json!({ "BOOL": truth }),
        AttributeValue::Null(_) => json!({ "NULL": true }),
        AttributeValue::L(list) => json!({ "L": list.iter().map(attribute).collect::<Vec<_>>() }),
        AttributeValue::M(map) => {
            let map = map.iter().map(|(name, value)| (name.clone(), attribute(value)));
            json!({ "M": Value::Object(map.collect()) })
        }
        AttributeValue::Ss(texts) => json!({ "SS": texts }),
        AttributeValue::Ns(numbers) => json!({ "NS": numbers }),
        AttributeValue::Bs(list) => {
            json!({ "BS": list.iter().map(|bytes| STANDARD.encode(bytes.as_ref())).collect::<Vec<_>>() })
        }
        other => json!({ "UNKNOWN": format!("{other:?}") }),
    }
}

fn said<E: std::error::Error>(error: E) -> String {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("reading the stream: {error}{cause}")
}
