//! The function `relay` and an event bus: what was chosen is told of once its lines are in the log.

use rig::fixtures::unique;
use serde_json::{Value, json};

use crate::world::{World, request};

/// Makes a task, completes it, and makes another; gives the stream's batch of it.
async fn changed(world: &World) -> Value {
    let mut function = world.function("ingest", &[]);
    let created = world.answer(&request("rest", "POST", "/tasks", r#"{"task":"a"}"#)).await;
    let body: Value = serde_json::from_str(created["body"].as_str().unwrap()).unwrap();
    let path = format!("/tasks/{}", body["id"].as_str().unwrap());
    let completed = world.answer(&request("rest", "PUT", &path, r#"{"status":"completed"}"#)).await;
    assert_eq!(completed["statusCode"], 200, "{completed}");
    let other = world.answer(&request("rest", "POST", "/tasks", r#"{"task":"b"}"#)).await;
    assert_eq!(other["statusCode"], 201, "{other}");
    function.kill().await;
    world.stream_batch().await
}

/// Relays a batch with a process of its own; gives how much of it is to come again.
async fn relayed(world: &mut World, batch: &Value, env: &[(&str, &str)]) -> usize {
    world.api = rig::runtime_api::RuntimeApi::start().await;
    let mut function = world.function("relay", env);
    let answer = world.api.invoke(&batch.to_string()).await.success();
    function.kill().await;
    answer["batchItemFailures"].as_array().unwrap().len()
}

/// Keeps what comes over a bus and is like this.
async fn archive(world: &World, bus: &str, pattern: Value) -> String {
    let name = unique("archive");
    let create = world.clients.eventbridge.create_archive().archive_name(&name).event_source_arn(bus);
    create.event_pattern(pattern.to_string()).send().await.unwrap();
    name
}

async fn kept(world: &World, archive: &str) -> i64 {
    world.clients.eventbridge.describe_archive().archive_name(archive).send().await.unwrap().event_count()
}

#[tokio::test]
async fn a_bus_is_told_of_what_was_chosen() {
    let mut world = World::new().await;
    let (bus, arn) = world.clients.bus().await;
    let is_completed = json!({
        "source": ["daybook"],
        "detail-type": ["task.completed"],
        "detail": {"type": ["task.completed"], "data": {"version": [2], "state": {"status": ["completed"]}}},
    });
    let completed = archive(&world, &arn, is_completed).await;
    let created = archive(&world, &arn, json!({"detail-type": ["task.created"]})).await;
    let all = archive(&world, &arn, json!({"source": ["daybook"]})).await;
    let batch = changed(&world).await;
    assert_eq!(relayed(&mut world, &batch, &[]).await, 0);
    assert_eq!(kept(&world, &all).await, 0, "nobody is told unless there is a bus");
    assert_eq!(relayed(&mut world, &batch, &[("DAYBOOK_EVENT_BUS", &bus)]).await, 0);
    assert_eq!((kept(&world, &completed).await, kept(&world, &all).await), (1, 1));
    let chosen = [("DAYBOOK_EVENT_BUS", bus.as_str()), ("DAYBOOK_NOTIFY_EVENTS", "task.created,user.*")];
    assert_eq!(relayed(&mut world, &batch, &chosen).await, 0);
    assert_eq!((kept(&world, &created).await, kept(&world, &all).await), (2, 3));
}

#[tokio::test]
async fn what_a_bus_does_not_take_comes_again_and_its_lines_are_in_the_log() {
    let mut world = World::new().await;
    let (bus, arn) = world.clients.bus().await;
    let all = archive(&world, &arn, json!({"source": ["daybook"]})).await;
    let batch = changed(&world).await;
    let down = [("DAYBOOK_EVENT_BUS", bus.as_str()), ("AWS_ENDPOINT_URL_EVENTBRIDGE", "http://127.0.0.1:9")];
    assert_eq!(relayed(&mut world, &batch, &down).await, 1);
    assert_eq!((world.raw().await.len(), kept(&world, &all).await), (3, 0));
    assert_eq!(relayed(&mut world, &batch, &down[..1]).await, 0);
    assert_eq!(kept(&world, &all).await, 1);
}
