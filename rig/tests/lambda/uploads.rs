//! The function `relay`, told by S3 of contents that came.

use event::Event;
use rig::outsider;
use rig::runtime_api::RuntimeApi;
use serde_json::{Value, json};

use crate::world::{World, request};

/// What S3 tells of an object, as it has come.
fn notice(key: &str) -> Value {
    json!({"Records": [{
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "requestParameters": {"sourceIPAddress": "203.0.113.7"},
        "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810"},
        "s3": {"bucket": {"name": "bucket"}, "object": {"key": key, "size": 5}},
    }]})
}

/// What the function `ingest` answers to a request, as JSON.
async fn asked(world: &World, method: &str, path: &str, body: &str) -> Value {
    let answer = world.answer(&request("rest", method, path, body)).await;
    serde_json::from_str(answer["body"].as_str().unwrap()).unwrap()
}

/// Announces assets with a process of its own; their answers.
async fn announced(world: &mut World, ids: &[&str], length: Option<i64>) -> Vec<Value> {
    world.api = RuntimeApi::start().await;
    let mut function = world.function("ingest", &[]);
    let mut answers = Vec::new();
    for id in ids {
        let mut body = json!({"assetId": id, "fileName": "a.txt", "contentType": "text/plain"});
        if let Some(length) = length {
            body["contentLength"] = length.into();
        }
        answers.push(asked(world, "POST", "/assets", &body.to_string()).await);
    }
    function.kill().await;
    answers
}

/// Tells the relay, with a process of its own.
async fn told(world: &mut World, keys: &[&str]) {
    world.api = RuntimeApi::start().await;
    let mut function = world.function("relay", &[]);
    for key in keys {
        let answer = world.api.invoke(&notice(key).to_string()).await.success();
        assert_eq!(answer, json!({"batchItemFailures": []}));
    }
    function.kill().await;
}

/// The events that say that a content came, as the table's stream has them.
async fn uploaded(world: &World) -> Vec<Event> {
    let batch = world.stream_batch().await;
    let records = batch["Records"].as_array().unwrap().iter().map(|record| &record["dynamodb"]["NewImage"]);
    let lines = records.filter(|image| image["event_type"]["S"] == "asset.uploaded").map(|image| {
        use base64::Engine;
        let packed = base64::engine::general_purpose::STANDARD.decode(image["line"]["B"].as_str().unwrap()).unwrap();
        ingest::aws::line_of(&packed, image["dictionary"]["N"].as_str().unwrap()).unwrap()
    });
    lines.map(|line| Event::from_line(&line).unwrap()).collect()
}

fn key(announced: &Value) -> &str {
    announced["asset"]["key"].as_str().unwrap()
}

#[tokio::test]
async fn an_upload_is_recorded_once_however_often_it_is_told() {
    let mut world = World::new().await;
    let made = announced(&mut world, &["cat"], Some(5)).await;
    assert_eq!(outsider::upload(&made[0], b"hello").await, 200);
    told(&mut world, &[key(&made[0]), key(&made[0])]).await;
    told(&mut world, &[key(&made[0])]).await;
    let events = uploaded(&world).await;
    assert_eq!(events.len(), 1);
    let event = &events[0];
    assert!(event.hash_holds() && event.prev_event_hash.is_some());
    assert_eq!((event.method.as_str(), event.path.as_str()), ("PUT", format!("/{}", key(&made[0])).as_str()));
    assert_eq!((event.client_ip.as_deref(), event.request_id.as_str()), (Some("203.0.113.7"), "C3D13FE58DE4C810"));
    assert_eq!((event.entity_id.as_deref(), event.entity_version, event.request_bytes), (Some("cat"), Some(2), 5));
    assert_eq!((event.tenant.as_str(), event.environment.as_str(), event.status), ("default", "rig", 200));

    world.api = RuntimeApi::start().await;
    let mut function = world.function("ingest", &[]);
    let there = asked(&world, "GET", "/assets/cat", "").await;
    assert_eq!((&there["status"], &there["version"]), (&json!("uploaded"), &json!(2)));
    let history = asked(&world, "GET", "/assets/cat/history", "").await;
    assert_eq!((&history["count"], &history["items"][1]["event_type"]), (&json!(2), &json!("asset.uploaded")));
    function.kill().await;
}

#[tokio::test]
async fn what_should_not_have_come_is_removed_or_left_alone() {
    let mut world = World::new().await;
    let made = announced(&mut world, &["short", "gone"], Some(9)).await;
    let put = async |world: &World, key: &str| {
        let body = b"hello".to_vec().into();
        world.clients.s3.put_object().bucket(&world.bucket).key(key).body(body).send().await.unwrap();
    };
    // Of another length than was signed, as no client can have sent it; of an asset that was removed meanwhile; of one
    // that nobody announced; and none at all.
    put(&world, key(&made[0])).await;
    world.api = RuntimeApi::start().await;
    let mut function = world.function("ingest", &[]);
    asked(&world, "DELETE", "/assets/gone", "").await;
    function.kill().await;
    put(&world, key(&made[1])).await;
    let unknown = key(&made[0]).replace("/short/", "/never/");
    put(&world, &unknown).await;
    put(&world, "assets/notes.txt").await;
    let missing = format!("{}x", key(&made[0]));
    told(&mut world, &[key(&made[0]), key(&made[1]), &unknown, "assets/notes.txt", &missing]).await;
    assert!(uploaded(&world).await.is_empty());
    let left: Vec<String> = world.objects("assets/").await.into_iter().map(|(key, _)| key).collect();
    assert_eq!(left, [unknown, "assets/notes.txt".to_owned()]);
}
