//! The machine on AWS, assembled in process from its real parts: requests, store, stream, relay, Firehose, compactor.
//!
//! Every client goes through a [`Proxy`]; what a test looks at afterwards is read past it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

mod evidence;
mod relay;
mod request;
mod stream;
mod table;

use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use cloud::Deadline;
use compactor::{Compaction, Lake, Options, RawLog, Step, Summary};
use event::EventIds;
use event::redact::{Redactor, Rules};
use ingest::aws::{Bucket, DynamoSettings, DynamoStore, Fallback, FirehoseLines, FirehoseSink, S3Sink};
use ingest::http::Response;
use ingest::http::cursor::Cursors;
use ingest::store::EventSink;
use ingest::{Api, Parts, Settings, System};
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use crate::fixtures::{Clients, unique};
use crate::proxy::{Proxy, Upstreams};
use crate::runtime_api::binary;

pub use self::request::Req;
pub use self::stream::{Batch, Stream};

/// How long a client of the flow waits for one attempt: less than [`LATE`](crate::plan::LATE), and more than the
/// stand-ins take on a busy machine.
const ATTEMPT: Duration = Duration::from_secs(1);
/// The pause of the SDK's clients before the second attempt; what waits by itself waits as it always does.
const BACKOFF: Duration = Duration::from_millis(5);
/// How many servers answer requests, as so many Lambda instances would.
const SERVERS: usize = 3;
/// How many records the relay is given at most.
const BATCH: usize = 100;

/// One machine, with a table, a bucket, a delivery stream and a database of its own.
#[derive(Debug)]
pub struct Flow {
    /// What everything goes through.
    pub proxy: Proxy,
    names: Names,
    settings: SdkConfig,
    servers: Vec<Server>,
    past: Past,
    stream: Mutex<Stream>,
}

/// What it has of its own.
#[derive(Debug)]
struct Names {
    table: String,
    bucket: String,
    delivery: String,
    database: String,
}

/// One of the servers.
struct Server(Api);

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Server")
    }
}

/// Clients that no fault meets.
#[derive(Debug)]
struct Past {
    clients: Clients,
    settings: SdkConfig,
    store: DynamoStore,
}

impl Flow {
    /// A machine without faults. Needs a runtime with several threads.
    pub async fn new() -> Self {
        let clients = Clients::new().await;
        let (table, bucket) = (clients.table().await, clients.bucket().await);
        let delivery = clients.stream(&bucket).await;
        let names = Names { table, bucket, delivery, database: unique("lake") };
        let proxy = Proxy::start(Upstreams::from_environment().unwrap()).await.unwrap();
        let settings = cloud::sdk::config().await;
        let past = Past { store: store(&settings, &names), clients, settings };
        let settings = hurried(&proxy.config(&past.settings));
        let servers = (0..SERVERS).map(|_| Server(api(&settings, &names))).collect();
        let described = past.clients.dynamodb.describe_table().table_name(&names.table).send().await.unwrap();
        let arn = described.table.unwrap().latest_stream_arn.unwrap();
        let stream = Mutex::new(Stream::new(past.clients.streams.clone(), arn));
        let flow = Self { proxy, names, settings, servers, past, stream };
        flow.lake_past().await;
        flow
    }

    /// Has one of the servers answer a request.
    pub async fn send(&self, server: usize, request: &Req) -> Response {
        let Server(api) = &self.servers[server % self.servers.len()];
        api.handle(request.received(api.arrival())).await
    }

    /// The bucket that has everything but the table's items.
    pub fn bucket(&self) -> &str {
        &self.names.bucket
    }

    /// The table.
    pub fn table(&self) -> &str {
        &self.names.table
    }

    /// A client of S3 that no fault meets.
    pub fn s3(&self) -> &aws_sdk_s3::Client {
        &self.past.clients.s3
    }

    /// A client of DynamoDB that no fault meets.
    pub fn dynamodb(&self) -> &aws_sdk_dynamodb::Client {
        &self.past.clients.dynamodb
    }

    /// The store as no fault meets it.
    pub fn store(&self) -> &DynamoStore {
        &self.past.store
    }

    /// One run of the compactor from a cold start, whatever is pending.
    ///
    /// # Errors
    /// As [`Compaction::run`], or the lake could not be opened.
    pub async fn compact(&self) -> compactor::Result<Summary> {
        self.compact_until(|_| Ok(())).await
    }

    /// The same, with a failpoint between its steps.
    ///
    /// # Errors
    /// As [`compact`](Self::compact), or the failpoint's.
    pub async fn compact_until(
        &self,
        failpoint: impl Fn(Step) -> compactor::Result<()> + Send + Sync,
    ) -> compactor::Result<Summary> {
        let lake = compactor::aws::lake(&self.settings, &self.names.bucket, &self.names.database).await?;
        let run = Compaction::new(&lake, self.raw(), Options::default().forced()).with_failpoint(failpoint);
        run.run((System::real().now)(), &System::real().random).await
    }

    /// The raw log as the compactor reads it.
    pub fn raw(&self) -> Arc<dyn RawLog> {
        Arc::new(compactor::aws::raw_log(&self.settings, &self.names.bucket))
    }

    /// Runs `daybook verify --repair`, the program itself, which finds everything in order or puts it in order.
    pub async fn sweep(&self) {
        let Names { table, bucket, database, .. } = &self.names;
        let mut program = tokio::process::Command::new(binary("daybook"));
        program.args(["verify", "--aws", "--engine", "local", "--repair"]).kill_on_drop(true);
        program.args(["--table", table, "--bucket", bucket, "--database", database]);
        let output = program.output().await.unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{out}{err}");
    }

    /// Lets faults end, and what is under way arrive: everything is relayed and compacted when it returns.
    pub async fn settle(&self) {
        self.proxy.heal().await;
        while self.relay().await.expect("the relay works when nothing fails") > 0 {}
        self.compact().await.expect("the compactor works when nothing fails");
    }

    /// Removes what the stand-ins have little room for: moto takes no more than 50 delivery streams at a time.
    async fn remove(&self) {
        let Clients { dynamodb, firehose, .. } = &self.past.clients;
        // A test that has failed has said so already.
        let _ = firehose.delete_delivery_stream().delivery_stream_name(&self.names.delivery).send().await;
        let _ = dynamodb.delete_table().table_name(&self.names.table).send().await;
    }

    async fn lake_past(&self) -> Lake {
        let Names { bucket, database, .. } = &self.names;
        compactor::aws::lake(&self.past.settings, bucket, database).await.expect("a lake")
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        let runtime = Handle::current();
        tokio::task::block_in_place(|| runtime.block_on(self.remove()));
    }
}

/// The same settings for a test's patience.
fn hurried(settings: &SdkConfig) -> SdkConfig {
    let retries = RetryConfig::standard().with_max_attempts(cloud::sdk::ATTEMPTS).with_initial_backoff(BACKOFF);
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).build();
    settings.clone().into_builder().retry_config(retries).timeout_config(timeouts).build()
}

fn store(settings: &SdkConfig, names: &Names) -> DynamoStore {
    let of = DynamoSettings { table: names.table.clone(), bucket: names.bucket.clone(), ..DynamoSettings::default() };
    let (dynamodb, s3) = (aws_sdk_dynamodb::Client::new(settings), aws_sdk_s3::Client::new(settings));
    DynamoStore::new(dynamodb, s3, of, System::real(), Deadline::default())
}

fn sink(settings: &SdkConfig, names: &Names) -> impl EventSink + use<> {
    let (system, deadline) = (System::real(), Deadline::default());
    let (firehose, s3) = (aws_sdk_firehose::Client::new(settings), aws_sdk_s3::Client::new(settings));
    let lines = FirehoseLines::new(firehose, &names.delivery, system, deadline.clone());
    Fallback::new(FirehoseSink::new(lines), S3Sink::new(s3, &names.bucket, system, deadline.clone()), deadline)
}

/// An API as the Lambda function has it.
fn api(settings: &SdkConfig, names: &Names) -> Api {
    Api::new(Parts {
        settings: Settings {
            environment: "test".to_owned(),
            ingest_path: "direct".to_owned(),
            change_path: "stream".to_owned(),
            ..Settings::default()
        },
        redactor: Redactor::new([7; 32], Rules::default()).unwrap(),
        cursors: Cursors::new([9; 32]),
        ids: EventIds::default(),
        system: System::real(),
        store: Arc::new(store(settings, names)),
        sink: Arc::new(sink(settings, names)),
        assets: Arc::new(Bucket::new(settings, &names.bucket, Deadline::default())),
        queries: None,
        credentials: ingest::http::auth::Credentials::default(),
    })
}
