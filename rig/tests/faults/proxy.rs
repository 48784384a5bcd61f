//! The proxy itself, with real clients: every fault does what it says, and every request is counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, Put, ScalarAttributeType,
    TransactWriteItem,
};
use aws_sdk_firehose::types::{Record, S3DestinationConfiguration};
use aws_sdk_glue::types::{DatabaseInput, TableInput};
use aws_types::SdkConfig;
use rig::plan::{Fault, Plan};
use rig::proxy::{Proxy, Upstreams};

/// A proxy, clients through it, and clients that go past it.
struct World {
    proxy: Proxy,
    name: String,
    past: SdkConfig,
    through: SdkConfig,
}

impl World {
    async fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("proxy-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let proxy = Proxy::start(Upstreams::from_environment().unwrap()).await.unwrap();
        let past = cloud::sdk::config().await;
        let through = proxy.config(&past);
        Self { proxy, name, past, through }
    }

    /// One attempt each: what a fault does is not hidden by another attempt.
    fn once(&self) -> SdkConfig {
        self.through.clone().into_builder().retry_config(aws_config::retry::RetryConfig::disabled()).build()
    }

    async fn table(&self) -> aws_sdk_dynamodb::Client {
        let past = aws_sdk_dynamodb::Client::new(&self.past);
        let key = KeySchemaElement::builder().attribute_name("pk").key_type(KeyType::Hash).build().unwrap();
        let attribute =
            AttributeDefinition::builder().attribute_name("pk").attribute_type(ScalarAttributeType::S).build().unwrap();
        let table = past.create_table().table_name(&self.name).billing_mode(BillingMode::PayPerRequest);
        table.key_schema(key).attribute_definitions(attribute).send().await.unwrap();
        past
    }

    async fn bucket(&self) -> aws_sdk_s3::Client {
        let past = aws_sdk_s3::Client::new(&self.past);
        past.create_bucket().bucket(&self.name).send().await.unwrap();
        past
    }

    async fn stream(&self) -> aws_sdk_s3::Client {
        let s3 = self.bucket().await;
        let destination = S3DestinationConfiguration::builder()
            .bucket_arn(format!("arn:aws:s3:::{}", self.name))
            .role_arn("arn:aws:iam::123456789012:role/firehose")
            .prefix("raw/")
            .build()
            .unwrap();
        let firehose = aws_sdk_firehose::Client::new(&self.past);
        #[expect(deprecated, reason = "the plain destination is all that the stand-in needs")]
        let stream = firehose.create_delivery_stream().s3_destination_configuration(destination);
        stream.delivery_stream_name(&self.name).send().await.unwrap();
        s3
    }

    fn item(&self, pk: &str) -> AttributeValue {
        AttributeValue::S(pk.to_owned())
    }

    async fn has(&self, dynamodb: &aws_sdk_dynamodb::Client, pk: &str) -> bool {
        let item = dynamodb.get_item().table_name(&self.name).key("pk", self.item(pk)).consistent_read(true);
        item.send().await.unwrap().item.is_some()
    }

    /// All that lies under `raw/`, object by object.
    async fn raw(&self, s3: &aws_sdk_s3::Client) -> Vec<String> {
        let listing = s3.list_objects_v2().bucket(&self.name).prefix("raw/").send().await.unwrap();
        let mut texts = Vec::new();
        for object in listing.contents() {
            let found = s3.get_object().bucket(&self.name).key(object.key().unwrap()).send().await.unwrap();
            let bytes = found.body.collect().await.unwrap().into_bytes();
            texts.push(String::from_utf8(bytes.to_vec()).unwrap());
        }
        texts
    }
}

const PUT: &str = "dynamodb:PutItem";

#[tokio::test]
async fn without_a_plan_everything_passes_and_is_counted() {
    let world = World::new().await;
    let past = world.table().await;
    world.bucket().await;
    let dynamodb = aws_sdk_dynamodb::Client::new(&world.through);
    let s3 = aws_sdk_s3::Client::new(&world.through);
    dynamodb.put_item().table_name(&world.name).item("pk", world.item("a")).send().await.unwrap();
    assert!(world.has(&past, "a").await);
    let content = vec![7; 300_000];
    // A key whose every byte must arrive as it was sent.
    let key = "raw/dt=2026-11-20/a b+c%2F%25ü~.gz";
    s3.put_object().bucket(&world.name).key(key).body(content.clone().into()).send().await.unwrap();
    let found = s3.get_object().bucket(&world.name).key(key).send().await.unwrap();
    assert_eq!(found.body.collect().await.unwrap().into_bytes(), content);
    let head = s3.head_object().bucket(&world.name).key(key).send().await.unwrap();
    assert_eq!(head.content_length(), Some(300_000));
    s3.list_objects_v2().bucket(&world.name).prefix("raw/").send().await.unwrap();

    let traffic = world.proxy.take();
    let expect = [PUT, "s3:PutObject raw/", "s3:GetObject raw/", "s3:HeadObject raw/", "s3:ListObjectsV2"];
    assert_eq!(traffic.operations(), expect);
    assert!(traffic.0.iter().all(|exchange| exchange.status == Some(200) && exchange.fault.is_none()), "{traffic}");
    // The SDK frames an upload with its checksum.
    assert!((300_000..301_000).contains(&traffic.0[1].request_bytes), "{:?}", traffic.0[1]);
    assert_eq!(traffic.0[2].response_bytes, 300_000);
    assert_eq!((traffic.0[3].request_bytes, traffic.0[3].response_bytes), (0, 0));
    assert_eq!(world.proxy.take().0, [], "what was taken is not there again");
}

/// What one attempt of a `PutItem` comes to under a fault: whether the client hears of success, and what is stored.
#[tokio::test]
async fn a_fault_decides_what_is_heard_and_what_is_done() {
    let world = World::new().await;
    let past = world.table().await;
    let dynamodb = aws_sdk_dynamodb::Client::new(&world.once());
    for (fault, heard, done, code) in [
        (Fault::DropBefore, false, false, None),
        (Fault::BreakOff, false, false, None),
        (Fault::DropAfter, false, true, None),
        (Fault::Truncate, false, true, None),
        (Fault::Duplicate, true, true, None),
        (Fault::Delay(Duration::from_millis(80)), true, true, None),
        (Fault::Throttle, false, false, Some("ProvisionedThroughputExceededException")),
        (Fault::Internal, false, false, Some("InternalServerError")),
        (Fault::Unavailable, false, false, Some("ServiceUnavailableException")),
        (Fault::Conflict, false, false, Some("TransactionConflictException")),
    ] {
        let pk = format!("{fault:?}");
        world.proxy.play(Plan::none().on(PUT, 1, fault));
        let begun = Instant::now();
        let put = dynamodb.put_item().table_name(&world.name).item("pk", world.item(&pk)).send().await;
        let took = begun.elapsed();
        world.proxy.heal().await;
        assert_eq!(put.is_ok(), heard, "{fault:?}: {put:?}");
        assert_eq!(world.has(&past, &pk).await, done, "{fault:?}");
        let meta = put.as_ref().err().and_then(|error| aws_sdk_dynamodb::error::ProvideErrorMetadata::code(error));
        assert_eq!(meta, code, "{fault:?}: {put:?}");
        if let Fault::Delay(delay) = fault {
            assert!(took >= delay, "{took:?}");
        }
        let traffic = world.proxy.take();
        assert_eq!((traffic.count(PUT), traffic.faults()), (1, 1), "{fault:?}: {traffic}");
        let answered = !matches!(fault, Fault::DropBefore | Fault::BreakOff | Fault::DropAfter);
        assert_eq!(traffic.0[0].status.is_some(), answered, "{fault:?}");
    }
}

/// What the SDK takes for worth another attempt, by the settings that every client of Daybook has.
#[tokio::test]
async fn the_second_attempt_succeeds_after_every_fault_but_a_conflict() {
    let world = World::new().await;
    world.table().await;
    let dynamodb = aws_sdk_dynamodb::Client::new(&world.through);
    for (fault, attempts) in [
        (Fault::DropBefore, 2),
        (Fault::BreakOff, 2),
        (Fault::DropAfter, 2),
        (Fault::Truncate, 2),
        (Fault::Duplicate, 1),
        (Fault::Throttle, 2),
        (Fault::Internal, 2),
        (Fault::Unavailable, 2),
    ] {
        world.proxy.play(Plan::none().on(PUT, 1, fault));
        let put = dynamodb.put_item().table_name(&world.name).item("pk", world.item("again")).send().await;
        assert!(put.is_ok(), "{fault:?}: {put:?}");
        assert_eq!(world.proxy.take().count(PUT), attempts, "{fault:?}");
    }
}

#[tokio::test]
async fn a_request_that_is_late_arrives_though_its_client_has_given_up() {
    let world = World::new().await;
    let past = world.table().await;
    let impatient = aws_config::timeout::TimeoutConfig::builder().operation_timeout(Duration::from_millis(60)).build();
    let config = world.once().into_builder().timeout_config(impatient).build();
    let dynamodb = aws_sdk_dynamodb::Client::new(&config);
    world.proxy.play(Plan::none().on(PUT, 1, Fault::Delay(Duration::from_millis(300))));
    let put = dynamodb.put_item().table_name(&world.name).item("pk", world.item("late")).send().await;
    assert!(put.is_err(), "{put:?}");
    assert!(!world.has(&past, "late").await, "it is still on its way");
    world.proxy.heal().await;
    assert!(world.has(&past, "late").await, "it has arrived");
    assert_eq!(world.proxy.take().0[0].status, Some(200));
}

#[tokio::test]
async fn a_duplicate_reaches_the_service_twice_and_the_first_answer_counts() {
    let world = World::new().await;
    world.table().await;
    let dynamodb = aws_sdk_dynamodb::Client::new(&world.once());
    world.proxy.play(Plan::none().on(PUT, 1, Fault::Duplicate));
    let put = dynamodb.put_item().table_name(&world.name).item("pk", world.item("a"));
    put.condition_expression("attribute_not_exists(pk)").send().await.unwrap();
    // The second one added to the counter, too.
    let update = || {
        let update = dynamodb.update_item().table_name(&world.name).key("pk", world.item("n"));
        let update =
            update.update_expression("ADD n :one").expression_attribute_values(":one", AttributeValue::N("1".into()));
        update.return_values(aws_sdk_dynamodb::types::ReturnValue::AllNew)
    };
    world.proxy.play(Plan::none().on("dynamodb:UpdateItem", 1, Fault::Duplicate));
    let first = update().send().await.unwrap();
    let third = update().send().await.unwrap();
    let n =
        |item: Option<std::collections::HashMap<String, AttributeValue>>| item.unwrap()["n"].as_n().unwrap().clone();
    assert_eq!((n(first.attributes), n(third.attributes)), ("1".to_owned(), "3".to_owned()));
}

#[tokio::test]
async fn a_cancelled_transaction_is_told_from_a_failed_condition() {
    let world = World::new().await;
    world.table().await;
    let dynamodb = aws_sdk_dynamodb::Client::new(&world.once());
    for (fault, code) in [(Fault::Conflict, "TransactionConflict"), (Fault::Throttle, "ThrottlingError")] {
        world.proxy.play(Plan::none().on("dynamodb:TransactWriteItems", 1, fault));
        let put = |pk: &str| {
            let put = Put::builder().table_name(&world.name).item("pk", world.item(pk)).build().unwrap();
            TransactWriteItem::builder().put(put).build()
        };
        let write = dynamodb.transact_write_items().transact_items(put("a")).transact_items(put("b")).send().await;
        let error = write.unwrap_err().into_service_error();
        assert!(error.is_transaction_canceled_exception(), "{error:?}");
        let aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::TransactionCanceledException(
            cancelled,
        ) = error
        else {
            panic!("not cancelled")
        };
        let codes: Vec<_> = cancelled.cancellation_reasons().iter().map(|reason| reason.code().unwrap()).collect();
        assert_eq!(codes, [code, "None"]);
    }
}

#[tokio::test]
async fn some_records_of_a_batch_fail_and_the_others_are_delivered_in_order() {
    let world = World::new().await;
    let s3 = world.stream().await;
    let firehose = aws_sdk_firehose::Client::new(&world.through);
    let put = || {
        let records =
            ["a\n", "b\n", "c\n", "d\n"].map(|line| Record::builder().data(line.as_bytes().into()).build().unwrap());
        firehose.put_record_batch().delivery_stream_name(&world.name).set_records(Some(records.into())).send()
    };
    world.proxy.play(Plan::none().on("firehose:PutRecordBatch", 1, Fault::PartialPut(0b0110)).on(
        "firehose:PutRecordBatch",
        2,
        Fault::PartialPut(u64::MAX),
    ));
    let partly = put().await.unwrap();
    assert_eq!(partly.failed_put_count(), 2);
    let failed: Vec<bool> = partly.request_responses().iter().map(|it| it.error_code().is_some()).collect();
    assert_eq!(failed, [false, true, true, false]);
    assert!(partly.request_responses().iter().all(|it| it.record_id().is_some() != it.error_code().is_some()));
    assert_eq!(world.raw(&s3).await, ["a\nd\n"]);
    assert_eq!(put().await.unwrap().failed_put_count(), 4);
    assert_eq!(world.raw(&s3).await.len(), 1, "of a batch that fails as a whole nothing is delivered");
    assert_eq!(put().await.unwrap().failed_put_count(), 0);
    assert_eq!(world.raw(&s3).await.len(), 2);
}

#[tokio::test]
async fn an_answer_from_s3_that_ends_in_the_middle_is_an_error_after_its_first_half() {
    let world = World::new().await;
    let past = world.bucket().await;
    let content = vec![9; 100_000];
    past.put_object().bucket(&world.name).key("lake/x").body(content.into()).send().await.unwrap();
    let s3 = aws_sdk_s3::Client::new(&world.once());
    world.proxy.play(Plan::none().on("s3:GetObject lake/", 1, Fault::Truncate));
    let mut body = s3.get_object().bucket(&world.name).key("lake/x").send().await.unwrap().body;
    let mut read = 0;
    let error = loop {
        match body.next().await {
            Some(Ok(bytes)) => read += bytes.len(),
            Some(Err(error)) => break Some(error),
            None => break None,
        }
    };
    assert!(error.is_some(), "the end is not taken for the whole");
    assert_eq!(read, 50_000);
}

#[tokio::test]
async fn refusals_of_s3_are_what_the_sdk_takes_them_for() {
    let world = World::new().await;
    let past = world.bucket().await;
    let s3 = aws_sdk_s3::Client::new(&world.once());
    let put = || s3.put_object().bucket(&world.name).key("raw/x").body(vec![1].into()).if_none_match("*").send();
    for (fault, status, code) in [
        (Fault::Throttle, 503, "SlowDown"),
        (Fault::Internal, 500, "InternalError"),
        (Fault::Unavailable, 503, "ServiceUnavailable"),
        (Fault::Conflict, 409, "ConditionalRequestConflict"),
    ] {
        world.proxy.play(Plan::none().on("s3:PutObject raw/", 1, fault));
        let error = put().await.unwrap_err();
        assert_eq!(error.raw_response().unwrap().status().as_u16(), status);
        assert_eq!(aws_sdk_s3::error::ProvideErrorMetadata::code(&error), Some(code));
        let found = past.list_objects_v2().bucket(&world.name).send().await.unwrap();
        assert_eq!(found.key_count(), Some(0), "{fault:?}");
    }
    put().await.unwrap();
    let error = put().await.unwrap_err();
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 412, "the stand-in's own answer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_sixteen_conditional_writers_one_succeeds() {
    let world = World::new().await;
    world.bucket().await;
    let s3 = aws_sdk_s3::Client::new(&world.once());
    let puts = (0..16_u8).map(|writer| {
        let put = s3.put_object().bucket(&world.name).key("raw/one").body(vec![writer].into()).if_none_match("*");
        tokio::spawn(put.send())
    });
    let mut done = 0;
    for put in puts.collect::<Vec<_>>() {
        done += usize::from(put.await.unwrap().is_ok());
    }
    assert_eq!(done, 1);
}

/// A table in Glue through the proxy, at version 1.
async fn glue_table(world: &World) -> aws_sdk_glue::Client {
    let glue = aws_sdk_glue::Client::new(&world.once());
    let database = DatabaseInput::builder().name(&world.name).build().unwrap();
    glue.create_database().database_input(database).send().await.unwrap();
    let table = TableInput::builder().name("t").build().unwrap();
    glue.create_table().database_name(&world.name).table_input(table).send().await.unwrap();
    glue
}

async fn version(world: &World, glue: &aws_sdk_glue::Client) -> String {
    let found = glue.get_table().database_name(&world.name).name("t").send().await.unwrap();
    found.table().unwrap().version_id().unwrap().to_owned()
}

#[tokio::test]
async fn an_update_of_a_stale_glue_version_is_refused() {
    let world = World::new().await;
    let glue = glue_table(&world).await;
    let update = |version: Option<&str>| {
        let table = TableInput::builder().name("t").description("new").build().unwrap();
        let update = glue.update_table().database_name(&world.name).table_input(table);
        update.set_version_id(version.map(str::to_owned)).send()
    };
    let first = version(&world, &glue).await;
    update(Some(&first)).await.unwrap();
    let second = version(&world, &glue).await;
    assert_ne!(first, second);
    let stale = update(Some(&first)).await.unwrap_err().into_service_error();
    assert!(stale.is_concurrent_modification_exception(), "{stale:?}");
    assert_eq!(version(&world, &glue).await, second, "nothing was changed");
    update(None).await.unwrap();
    let third = version(&world, &glue).await;
    // An answer that is lost: the update is there, and the attempt after it is refused as stale.
    world.proxy.play(Plan::none().on("glue:UpdateTable", 1, Fault::DropAfter));
    update(Some(&third)).await.unwrap_err();
    let stale = update(Some(&third)).await.unwrap_err().into_service_error();
    assert!(stale.is_concurrent_modification_exception(), "{stale:?}");
    let counts = world.proxy.take();
    assert_eq!(counts.count("glue:GetTable"), 4, "what the proxy asks on its own account is not counted:\n{counts}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_sixteen_updates_of_one_glue_version_one_is_made() {
    let world = World::new().await;
    let glue = glue_table(&world).await;
    let first = version(&world, &glue).await;
    let updates = (0..16).map(|writer| {
        let table = TableInput::builder().name("t").description(format!("{writer}")).build().unwrap();
        let update = glue.update_table().database_name(&world.name).table_input(table).version_id(&first);
        tokio::spawn(update.send())
    });
    let mut done = 0;
    for update in updates.collect::<Vec<_>>() {
        done += usize::from(update.await.unwrap().is_ok());
    }
    assert_eq!(done, 1);
}
