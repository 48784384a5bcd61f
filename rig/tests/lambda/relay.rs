//! The function `relay`: the table's own stream into the raw log.

use rig::runtime_api::Answer;
use serde_json::{Value, json};

use crate::world::{World, request};

/// Makes so many changes with the real function; gives the stream's batch of them.
async fn changed(world: &World, changes: usize) -> Value {
    let mut function = world.function("ingest", &[]);
    for n in 0..changes {
        let created = world.answer(&request("rest", "POST", "/tasks", &format!(r#"{{"task":"{n}"}}"#))).await;
        assert_eq!(created["statusCode"], 201, "{created}");
    }
    function.kill().await;
    world.stream_batch().await
}

/// Relays a batch with a process of its own.
async fn relayed(world: &mut World, batch: &Value, env: &[(&str, &str)]) -> Value {
    world.api = rig::runtime_api::RuntimeApi::start().await;
    let mut function = world.function("relay", env);
    let answer = world.api.invoke(&batch.to_string()).await.success();
    function.kill().await;
    answer
}

fn failed(answer: &Value) -> Vec<&str> {
    let failures = answer["batchItemFailures"].as_array().unwrap();
    failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap()).collect()
}

fn sequence(batch: &Value, index: usize) -> &str {
    batch["Records"][index]["dynamodb"]["SequenceNumber"].as_str().unwrap()
}

/// The records that inserted events, by their place in the batch.
fn changes(batch: &Value) -> Vec<usize> {
    let records = batch["Records"].as_array().unwrap();
    let is_event = |record: &Value| record["dynamodb"]["Keys"]["sk"]["S"].as_str().unwrap().starts_with("E#");
    (0..records.len()).filter(|index| is_event(&records[*index])).collect()
}

#[tokio::test]
async fn changes_are_relayed_in_order_and_a_replayed_batch_is_the_same_lines() {
    let mut world = World::new().await;
    let batch = changed(&world, 5).await;
    assert_eq!((changes(&batch).len(), batch["Records"].as_array().unwrap().len()), (5, 10), "events and states");
    assert!(failed(&relayed(&mut world, &batch, &[]).await).is_empty());
    let first = world.raw().await;
    let tasks: Vec<String> = first.iter().map(|event| event.state_after.clone().unwrap()).collect();
    assert_eq!(tasks.len(), 5);
    assert!(tasks.iter().enumerate().all(|(n, state)| state.contains(&format!("\"task\":\"{n}\""))), "{tasks:?}");
    assert!(first.iter().all(|event| event.hash_holds() && event.ingest_path == "stream"));
    assert!(failed(&relayed(&mut world, &batch, &[]).await).is_empty());
    let (mut ids, expect): (Vec<_>, Vec<_>) = (
        world.raw().await.iter().map(|event| event.event_id).collect(),
        first.iter().map(|event| event.event_id).collect(),
    );
    ids.sort();
    ids.dedup();
    assert_eq!(ids, expect);
}

#[tokio::test]
async fn where_firehose_is_down_the_lines_are_an_object_of_their_own() {
    let mut world = World::new().await;
    let batch = changed(&world, 3).await;
    let down = [("AWS_ENDPOINT_URL_FIREHOSE", "http://127.0.0.1:9")];
    for _ in 0..2 {
        assert!(failed(&relayed(&mut world, &batch, &down).await).is_empty());
        let objects = world.objects("raw/").await;
        assert!(objects.iter().all(|(key, text)| key.contains("/hour=") && text.lines().count() == 3), "{objects:?}");
    }
    let mut ids: Vec<_> = world.raw().await.iter().map(|event| event.event_id).collect();
    ids.dedup();
    assert!(ids.len() == 3 || ids.len() == 6, "once, or in two hours' folders");
}

#[tokio::test]
async fn where_nothing_takes_the_lines_the_batch_comes_again_from_its_first() {
    let mut world = World::new().await;
    let batch = changed(&world, 2).await;
    let nowhere = "http://127.0.0.1:9";
    let down = [("AWS_ENDPOINT_URL_FIREHOSE", nowhere), ("AWS_ENDPOINT_URL_S3", nowhere)];
    let answer = relayed(&mut world, &batch, &down).await;
    assert_eq!(failed(&answer), [sequence(&batch, changes(&batch)[0])]);
    assert!(world.raw().await.is_empty());
}

#[tokio::test]
async fn poison_is_kept_with_its_reason_and_the_rest_goes_on() {
    let mut world = World::new().await;
    let mut batch = changed(&world, 3).await;
    let poisoned = changes(&batch)[1];
    batch["Records"][poisoned]["dynamodb"]["NewImage"]["line"] = json!({"B": "AAAA"});
    for _ in 0..2 {
        assert!(failed(&relayed(&mut world, &batch, &[]).await).is_empty());
    }
    let kept = world.objects("quarantine/dt=").await;
    assert!((1..=2).contains(&kept.len()), "one a day: {kept:?}");
    let line: Value = serde_json::from_str(&kept[0].1).unwrap();
    assert_eq!(line["sequence_number"], sequence(&batch, poisoned));
    assert!(line["reason"].as_str().unwrap().contains("damaged"), "{line}");
    let record: Value = serde_json::from_str(line["text"].as_str().unwrap()).unwrap();
    assert_eq!(record, batch["Records"][poisoned], "the whole record");
    let mut ids: Vec<_> = world.raw().await.iter().map(|event| event.event_id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 2, "the others are relayed");
    let nowhere = [("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")];
    assert_eq!(
        failed(&relayed(&mut world, &batch, &nowhere).await),
        [sequence(&batch, poisoned)],
        "what cannot be kept comes again"
    );
}

#[tokio::test]
async fn a_batch_without_time_comes_again_and_what_is_no_batch_is_an_error() {
    let mut world = World::new().await;
    let batch = changed(&world, 1).await;
    world.api = rig::runtime_api::RuntimeApi::start().await;
    let function = world.function("relay", &[]);
    let short = world.api.invoke_within(&batch.to_string(), std::time::Duration::from_millis(100)).await.await.unwrap();
    assert_eq!(failed(&short.success()), [sequence(&batch, changes(&batch)[0])]);
    let Answer::Failure(error) = world.api.invoke("{}").await else { panic!("no batch is no success") };
    assert_eq!(error["errorType"], "InvocationFailed");
    assert!(error["errorMessage"].as_str().unwrap().contains("no Records"), "{error}");
    assert_eq!(
        world.api.invoke(&batch.to_string()).await.success(),
        json!({"batchItemFailures": []}),
        "the process lives"
    );
    let said = function.lines().iter().filter(|line| line["message"] == "the invocation failed").count();
    assert_eq!(said, 1, "once, where it is handled");
    assert_eq!(world.raw().await.len(), 1);
}
