//! Rows "Firehose", "stream" and "relay" of the fault table.

use aws_sdk_dynamodb::types::AttributeValue;
use rig::flow::Req;
use rig::plan::{Fault, Plan};

use crate::world::{PUT, World, expect};

const FALLBACK: &str = "s3:PutObject raw/";

/// Of many records some fail, and only these are sent again: nothing is delivered twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_put_count_in_a_200() {
    let world = World::new().await;
    // Twenty lines of 60 KB make two records.
    for _ in 0..20 {
        let body = format!(r#"{{"user_id":"u","message":"{}"}}"#, "x".repeat(60_000));
        world.send(201, Req::post("/data", &body)).await;
    }
    world.flow.proxy.play(Plan::none().on(PUT.0, 1, Fault::PartialPut(0b10)));
    world.flow.proxy.take();
    while world.flow.relay().await.unwrap() > 0 {}
    let traffic = world.flow.proxy.take();
    expect(&traffic, &[(PUT.0, 2)]);
    let (all, again) = (traffic.0[0].request_bytes, traffic.0[1].request_bytes);
    assert!(again * 2 < all && again > 60_000, "{all} bytes, then {again}");
    let (sums, evidence) = world.judge().await;
    assert_eq!((sums.types["data.submitted"], sums.duplicates), (20, 0));
    assert_eq!(evidence.counts.objects, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_put_count_for_ever() {
    let world = World::new().await;
    let plan = Plan::none().always(PUT.0, Fault::PartialPut(1));
    let (_, traffic) = world.under(plan, 200, Req::get("/health")).await;
    expect(&traffic, &[(PUT.0, 3), (FALLBACK, 1)]);
    let (sums, _) = world.judge().await;
    assert_eq!((sums.types["request.read"], sums.duplicates), (1, 0));
}

/// Requests and relay go on, each on the second road; what Firehose may have taken all the same is there once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn down_for_an_hour() {
    let world = World::new().await;
    for (fault, attempts, duplicates) in
        [(Fault::Unavailable, 3, 0), (Fault::Throttle, 3, 0), (Fault::DropBefore, 3, 0), (Fault::DropAfter, 3, 9)]
    {
        let before = world.judge().await.0.duplicates;
        world.flow.proxy.take();
        world.flow.proxy.play(Plan::none().always(PUT.0, fault));
        world.send(404, Req::get("/nothing")).await;
        world.send(200, Req::get("/tasks")).await;
        world.task().await;
        assert_eq!(world.flow.relay().await.unwrap(), 2, "event and state");
        let traffic = world.flow.proxy.take();
        assert_eq!((traffic.count(PUT.0), traffic.count(FALLBACK)), (3 * attempts, 3), "{fault:?}: {traffic}");
        let (sums, _) = world.judge().await;
        assert_eq!(sums.duplicates - before, duplicates, "{fault:?}");
    }
    let (sums, evidence) = world.judge().await;
    assert_eq!((sums.types["request.rejected"], sums.types["request.read"], sums.types["task.created"]), (4, 4, 4));
    let by = |path: &str| evidence.rows.iter().filter(|row| row.ingest_path == path).count();
    assert_eq!(by("stream"), 4, "a change keeps its line, which the next one is chained to");
    assert!(by("fallback") >= 6 && by("fallback") + by("direct") == 8, "{} by the second road", by("fallback"));
}

/// Neither road is open: the request says so, and nobody may think that it is recorded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn down_and_s3_as_well() {
    let world = World::new().await;
    let path = world.task().await;
    let plan = || Plan::none().always(PUT.0, Fault::Unavailable).always(FALLBACK, Fault::Unavailable);
    let (refused, traffic) = world.under(plan(), 503, Req::get(&path)).await;
    assert_eq!((refused.event_id(), refused.header("retry-after").is_some()), (None, true));
    expect(&traffic, &[("dynamodb:GetItem", 1), (PUT.0, 3), (FALLBACK, 3)]);
    // The relay gives the batch back, and has it again later.
    world.flow.proxy.play(plan());
    world.flow.relay().await.unwrap_err();
    let (sums, _) = world.judge().await;
    assert_eq!((sums.types["task.created"], sums.unknown, sums.unknown_but_logged), (1, 1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duplicate_replayed_batch() {
    let world = World::new().await;
    let path = world.task().await;
    world.send(200, Req::put(&path, r#"{"task":"b"}"#)).await;
    for _ in 0..3 {
        world.flow.relay_without_moving_on().await.unwrap();
    }
    let (sums, evidence) = world.judge().await;
    assert_eq!((evidence.counts.lines, evidence.counts.rows, sums.duplicates), (8, 2, 6));
}

/// A record that is no change's line is kept with its reason, and the others go on; a failure afterwards gives back what
/// comes after it, and nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poison_record() {
    let world = World::new().await;
    world.task().await;
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let poison = world.flow.dynamodb().put_item().table_name(world.flow.table()).item("pk", text("T#default#task#x"));
    let poison = poison.item("sk", text("E#000000000001")).item("dictionary", AttributeValue::N("1".to_owned()));
    poison.item("line", AttributeValue::B(b"not deflated".to_vec().into())).send().await.unwrap();
    world.task().await;
    // The first line gets through, the poison is kept, the second line finds both roads closed.
    world.flow.proxy.play(Plan::none().during(PUT.0, 2..=4, Fault::Unavailable).always(FALLBACK, Fault::Unavailable));
    let failed = world.flow.relay().await.unwrap_err();
    assert!(failed.ends_with("record 2 on"), "{failed}");
    let (sums, evidence) = world.judge().await;
    assert_eq!((sums.types["task.created"], sums.duplicates, evidence.counts.quarantined), (2, 0, 0));
    let raw = world.flow.raw();
    let kept = raw.list_quarantine().await.unwrap();
    let [object] = kept.as_slice() else { panic!("{kept:?}") };
    let lines = compactor::read_quarantine(&raw, &object.key).await.unwrap();
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(line.reason.contains("damaged") && line.text.as_ref().is_some_and(|it| it.contains("T#default#task#x")));
}

/// The relay's answer to Lambda is lost with it, after Firehose has the lines.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crash_after_firehose_accepted() {
    let world = World::new().await;
    world.task().await;
    world.flow.relay_without_moving_on().await.unwrap();
    world.flow.compact().await.unwrap();
    // Firehose has them, and the relay does not know.
    world.flow.proxy.play(Plan::none().on(PUT.0, 1, Fault::DropAfter));
    assert!(world.flow.relay().await.unwrap() > 0);
    let (sums, evidence) = world.judge().await;
    assert_eq!((evidence.counts.lines, evidence.counts.rows, sums.duplicates), (3, 1, 2));
}

/// What the stream has forgotten is still in the table: a sweep finds what the log lacks, and relays it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn down_longer_than_24_h() {
    let world = World::new().await;
    let path = world.task().await;
    world.send(200, Req::put(&path, r#"{"task":"b"}"#)).await;
    world.send(201, Req::post("/data", r#"{"user_id":"u","message":"m"}"#)).await;
    for relayed in [3, 0] {
        let before = world.flow.evidence().await.counts.lines;
        world.flow.sweep().await;
        world.flow.compact().await.unwrap();
        let counts = world.flow.evidence().await.counts;
        assert_eq!(counts.lines - before, relayed, "what is in the log already is not relayed again");
    }
    let types: Vec<String> = world.flow.evidence().await.rows.into_iter().map(|row| row.event_type).collect();
    assert_eq!(types, ["task.created", "task.updated", "data.submitted"]);
    // Should the stream come back, its lines are known.
    let (sums, _) = world.judge().await;
    assert_eq!(sums.duplicates, 3);
}
