//! The function `relay` and an event bus: what was chosen is told of once its lines are in the log.

use rig::fixtures::unique;
use rig::plan::{Fault, Plan};
use rig::proxy::{Proxy, Upstreams};
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

/// What is kept under `notices/`: the details of its entries, in their order.
async fn undelivered(world: &World) -> Vec<Value> {
    let objects = world.objects("notices/dt=").await;
    let entry = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    let entries: Vec<Value> = objects.iter().flat_map(|(_, text)| text.lines().map(entry)).collect();
    assert!(entries.iter().all(|entry| entry["Source"] == "daybook"), "{entries:?}");
    entries.iter().map(|entry| serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap()).collect()
}

#[tokio::test]
async fn what_a_bus_cannot_take_comes_again_and_its_lines_are_in_the_log() {
    let mut world = World::new().await;
    let (bus, arn) = world.clients.bus().await;
    let all = archive(&world, &arn, json!({"source": ["daybook"]})).await;
    let batch = changed(&world).await;
    let down = [("DAYBOOK_EVENT_BUS", bus.as_str()), ("AWS_ENDPOINT_URL_EVENTBRIDGE", "http://127.0.0.1:9")];
    assert_eq!(relayed(&mut world, &batch, &down).await, 1);
    assert_eq!((world.raw().await.len(), kept(&world, &all).await), (3, 0));
    assert_eq!(relayed(&mut world, &batch, &down[..1]).await, 0);
    assert_eq!((kept(&world, &all).await, undelivered(&world).await.len()), (1, 0));
}

#[tokio::test]
async fn a_bus_that_is_down_holds_up_the_log_for_no_longer_than_it_is_waited_for() {
    let mut world = World::new().await;
    let (bus, _) = world.clients.bus().await;
    let batch = changed(&world).await;
    let down = [
        ("DAYBOOK_EVENT_BUS", bus.as_str()),
        ("DAYBOOK_NOTIFY_EVENTS", "task.*"),
        ("DAYBOOK_NOTIFY_PATIENCE_SECONDS", "0"),
        ("AWS_ENDPOINT_URL_EVENTBRIDGE", "http://127.0.0.1:9"),
    ];
    for _ in 0..2 {
        assert_eq!(relayed(&mut world, &batch, &down).await, 0);
    }
    let kinds: Vec<Value> = undelivered(&world).await.iter().map(|detail| detail["type"].clone()).collect();
    assert!(kinds.len() == 3 || kinds.len() == 6, "once a day: {kinds:?}");
    assert_eq!(kinds[..3], ["task.created", "task.completed", "task.created"]);
}

#[tokio::test]
async fn what_a_bus_refuses_of_a_call_is_put_again_and_what_it_never_takes_is_kept() {
    let mut world = World::new().await;
    let (bus, arn) = world.clients.bus().await;
    let all = archive(&world, &arn, json!({"source": ["daybook"]})).await;
    let batch = changed(&world).await;
    let proxy = Proxy::start(Upstreams::from_environment().unwrap()).await.unwrap();
    let address = proxy.url();
    let chosen = [
        ("DAYBOOK_EVENT_BUS", bus.as_str()),
        ("DAYBOOK_NOTIFY_EVENTS", "task.*"),
        ("AWS_ENDPOINT_URL_EVENTBRIDGE", &address),
    ];
    let put = "events:PutEvents";
    proxy.play(Plan::none().on(put, 1, Fault::PartialPut(0b101)).on(put, 2, Fault::PartialPut(0b10)));
    assert_eq!(relayed(&mut world, &batch, &chosen).await, 0);
    assert_eq!((proxy.take().count(put), kept(&world, &all).await), (3, 3), "none is put twice");
    proxy.play(Plan::none().on(put, 1, Fault::RefusePart(0b10)));
    assert_eq!(relayed(&mut world, &batch, &chosen).await, 0);
    assert_eq!((proxy.take().count(put), kept(&world, &all).await), (1, 5));
    let left = undelivered(&world).await;
    assert_eq!((left.len(), &left[0]["type"]), (1, &json!("task.completed")));
    proxy.play(Plan::none().always(put, Fault::PartialPut(1)));
    assert_eq!(relayed(&mut world, &batch, &chosen).await, 1, "the bus is too busy");
    assert_eq!((kept(&world, &all).await, undelivered(&world).await.len()), (7, 1));
}
