//! An installation in the emulators, and what its functions are told.

use std::io::Read;

use event::Event;
use flate2::read::MultiGzDecoder;
use rig::fixtures::Clients;
use rig::runtime_api::{FunctionProcess, RuntimeApi};
use serde_json::Value;

/// A table, a bucket and a stream of their own, and one function before them.
pub struct World {
    pub clients: Clients,
    pub api: RuntimeApi,
    pub table: String,
    pub bucket: String,
    pub stream: String,
}

impl World {
    pub async fn new() -> Self {
        let clients = Clients::new().await;
        let (table, bucket) = (clients.table().await, clients.bucket().await);
        let stream = clients.stream(&bucket).await;
        Self { clients, api: RuntimeApi::start().await, table, bucket, stream }
    }

    /// Starts a function with all its settings, and these.
    pub fn function(&self, name: &str, env: &[(&str, &str)]) -> FunctionProcess {
        let key = "0f".repeat(32);
        let settings = [
            ("DAYBOOK_TABLE", self.table.as_str()),
            ("DAYBOOK_BUCKET", &self.bucket),
            ("DAYBOOK_FIREHOSE", &self.stream),
            ("DAYBOOK_INSTALLATION_KEY", &key),
            ("DAYBOOK_ENVIRONMENT", "rig"),
            ("DAYBOOK_OPEN", "true"),
            // Some of the gateways vouch for somebody who is of no tenant.
            ("DAYBOOK_JWT_TENANT", "default"),
        ];
        self.api.function(name, &[&settings, env].concat())
    }

    /// Answers a gateway's event.
    pub async fn answer(&self, event: &Value) -> Value {
        self.api.invoke(&event.to_string()).await.success()
    }

    /// Every event in the raw log, in the order of its objects.
    pub async fn raw(&self) -> Vec<Event> {
        let mut events = Vec::new();
        for (_, text) in self.objects("raw/").await {
            events.extend(text.lines().map(|line| Event::from_line(line.as_bytes()).unwrap()));
        }
        events
    }

    /// Objects and their text, inflated where they are compressed.
    pub async fn objects(&self, prefix: &str) -> Vec<(String, String)> {
        let s3 = &self.clients.s3;
        let listed = s3.list_objects_v2().bucket(&self.bucket).prefix(prefix).send().await.unwrap();
        let mut objects = Vec::new();
        for object in listed.contents() {
            let key = object.key().unwrap().to_owned();
            let got = s3.get_object().bucket(&self.bucket).key(&key).send().await.unwrap();
            let bytes = got.body.collect().await.unwrap().to_vec();
            let mut text = String::new();
            match bytes.starts_with(&[0x1f, 0x8b]) {
                true => MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap(),
                false => bytes.as_slice().read_to_string(&mut text).unwrap(),
            };
            objects.push((key, text));
        }
        objects
    }

    /// The table's stream so far, as Lambda hands it to a function.
    pub async fn stream_batch(&self) -> Value {
        let streams = &self.clients.streams;
        let described = streams.list_streams().table_name(&self.table).send().await.unwrap();
        let arn = described.streams()[0].stream_arn().unwrap().to_owned();
        let described = streams.describe_stream().stream_arn(&arn).send().await.unwrap();
        let mut records = Vec::new();
        for shard in described.stream_description().unwrap().shards() {
            let start = aws_sdk_dynamodbstreams::types::ShardIteratorType::TrimHorizon;
            let iterator = streams.get_shard_iterator().stream_arn(&arn).shard_id(shard.shard_id().unwrap());
            let iterator = iterator.shard_iterator_type(start).send().await.unwrap().shard_iterator.unwrap();
            let got = streams.get_records().shard_iterator(iterator).send().await.unwrap();
            records.extend(got.records().iter().map(|record| self::record(record, &arn)));
        }
        serde_json::json!({ "Records": records })
    }
}

fn record(record: &aws_sdk_dynamodbstreams::types::Record, arn: &str) -> Value {
    let of = record.dynamodb().unwrap();
    serde_json::json!({
        "eventID": record.event_id(),
        "eventName": record.event_name().map(|name| name.as_str()),
        "eventSource": "aws:dynamodb",
        "eventSourceARN": arn,
        "dynamodb": {
            "Keys": of.keys().map(item),
            "NewImage": of.new_image().map(item),
            "SequenceNumber": of.sequence_number(),
        },
    })
}

fn item(item: &std::collections::HashMap<String, aws_sdk_dynamodbstreams::types::AttributeValue>) -> Value {
    use aws_sdk_dynamodbstreams::types::AttributeValue as Attribute;
    use base64::Engine;
    let value = |value: &Attribute| match value {
        Attribute::S(text) => serde_json::json!({ "S": text }),
        Attribute::N(digits) => serde_json::json!({ "N": digits }),
        Attribute::B(bytes) => {
            serde_json::json!({"B": base64::engine::general_purpose::STANDARD.encode(bytes.as_ref())})
        }
        Attribute::Bool(flag) => serde_json::json!({ "BOOL": flag }),
        other => panic!("{other:?}"),
    };
    item.iter().map(|(name, of)| (name.clone(), value(of))).collect::<serde_json::Map<_, _>>().into()
}

/// A sample event of a gateway, as a request for this.
pub fn request(name: &str, method: &str, path: &str, body: &str) -> Value {
    let text = match name {
        "rest" => include_str!("../../../ingest/testdata/gateway/rest.json"),
        "http-api" => include_str!("../../../ingest/testdata/gateway/http-api.json"),
        "function-url" => include_str!("../../../ingest/testdata/gateway/function-url.json"),
        "load-balancer" => include_str!("../../../ingest/testdata/gateway/load-balancer.json"),
        "load-balancer-multi-value" => {
            include_str!("../../../ingest/testdata/gateway/load-balancer-multi-value.json")
        }
        _ => panic!("there is no sample {name}"),
    };
    let mut event: Value = serde_json::from_str(text).unwrap();
    if event.get("rawPath").is_some() {
        event["requestContext"]["http"]["method"] = method.into();
        event["rawPath"] = path.into();
        event["rawQueryString"] = "".into();
    } else {
        event["httpMethod"] = method.into();
        event["path"] = path.into();
        event["pathParameters"] = serde_json::json!({"proxy": path.trim_start_matches('/')});
        event["multiValueQueryStringParameters"] = Value::Null;
        event["queryStringParameters"] = Value::Null;
    }
    for (header, value) in [("content-type", "application/json"), ("accept", "*/*")] {
        event["headers"][header] = value.into();
        if event["multiValueHeaders"].is_object() {
            event["multiValueHeaders"][header] = serde_json::json!([value]);
        }
    }
    event["body"] = body.into();
    event
}
