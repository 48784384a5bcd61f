//! What each operation costs in requests: asserted, since the bill is made of them.

use rig::flow::Req;
use rig::plan::Plan;

use crate::world::{PUT, TRANSACTION, World, expect};

const GET: (&str, u64) = ("dynamodb:GetItem", 1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_per_operation() {
    let world = World::new().await;
    let path = world.task().await;
    let submitted = world.send(201, Req::post("/data", r#"{"user_id":"u","message":"m"}"#)).await;
    let submitted = submitted.header("location").unwrap().to_owned();
    let put = |path: &str| Req::put(path, r#"{"task":"b"}"#);
    let keyed = |request: Req| request.header("idempotency-key", "k");
    let large = format!(r#"{{"user_id":"v","message":"{}"}}"#, "x".repeat(70_000));
    for (what, status, request, counts) in [
        ("create: no look before", 201, Req::post("/tasks", r#"{"task":"a"}"#), vec![(TRANSACTION, 1)]),
        (
            "submit: half a transaction's price",
            201,
            Req::post("/data", r#"{"user_id":"u","message":"m"}"#),
            vec![("dynamodb:PutItem", 1)],
        ),
        ("submit, large", 201, Req::post("/data", &large), vec![("s3:PutObject bodies/", 1), ("dynamodb:PutItem", 1)]),
        ("update", 200, put(&path), vec![GET, (TRANSACTION, 1)]),
        ("update with a key", 200, keyed(put(&path)), vec![("dynamodb:GetItem", 2), (TRANSACTION, 1)]),
        ("the same again", 200, keyed(put(&path)), vec![GET, PUT]),
        ("read", 200, Req::get(&path), vec![GET, PUT]),
        ("read a submission", 200, Req::get(&submitted), vec![("dynamodb:Query", 1), PUT]),
        ("history", 200, Req::get(&format!("{path}/history")), vec![("dynamodb:Query", 1), PUT]),
        ("as of", 200, Req::get(&format!("{path}?version=1")), vec![("dynamodb:Query", 1), PUT]),
        ("refusal", 404, Req::get("/nothing"), vec![PUT]),
        ("delete", 200, Req::new("DELETE", &path), vec![GET, (TRANSACTION, 1)]),
    ] {
        let (_, traffic) = world.under(Plan::none(), status, request).await;
        assert_eq!(traffic.counts(), counts.into_iter().collect(), "{what}: {traffic}");
    }
    // A list asks each of the index's partitions, and reads what it found there in one more request.
    for list in ["/tasks", "/tasks?status=new", "/data?user_id=u"] {
        let (_, traffic) = world.under(Plan::none(), 200, Req::get(list)).await;
        expect(&traffic, &[("dynamodb:Query", 4), ("dynamodb:BatchGetItem", 1), PUT]);
    }
    let (_, traffic) = world.under(Plan::none(), 200, Req::get("/data?user_id=nobody")).await;
    expect(&traffic, &[("dynamodb:Query", 4), PUT]);
    world.judge().await;
}

/// One batch of the relay, however many lines: one request. A compaction, whatever it finds: as many as are said here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_per_run() {
    let world = World::new().await;
    let path = world.task().await;
    for _ in 0..9 {
        world.send(200, Req::put(&path, r#"{"task":"b"}"#)).await;
    }
    world.flow.proxy.take();
    assert_eq!(world.flow.relay().await.unwrap(), 20, "ten events and ten states");
    expect(&world.flow.proxy.take(), &[PUT]);
    // From a cold start: eight looks at the table's entry, one of them the fence's, and one update.
    let compaction = |reads: u64| {
        [
            ("glue:GetTable", 8),
            ("glue:UpdateTable", 1),
            ("s3:ListObjectsV2", 2),
            ("s3:GetObject raw/", 1),
            ("s3:GetObject lake/", reads),
            ("s3:PutObject lake/", 5),
        ]
    };
    world.flow.compact().await.unwrap();
    expect(&world.flow.proxy.take(), &compaction(3));
    world.send(404, Req::get("/nothing")).await;
    world.flow.proxy.take();
    world.flow.compact().await.unwrap();
    let traffic = world.flow.proxy.take();
    expect(&traffic, &compaction(7));
    // What `daybook cost` reckons with.
    let measured: serde_json::Value =
        serde_json::from_str(include_str!("../../../daybook/src/cost/measured.json")).unwrap();
    for (name, count) in [
        ("puts_per_commit", traffic.count("s3:PutObject *")),
        ("gets_per_commit", traffic.count("s3:GetObject *")),
        ("lists_per_run", traffic.count("s3:ListObjectsV2")),
        ("glue_requests_per_run", traffic.count("glue:*")),
    ] {
        assert_eq!(measured["compactor"][name], count as u64, "{name}: {traffic}");
    }
    world.flow.compact().await.unwrap();
    expect(&world.flow.proxy.take(), &[("glue:GetTable", 3), ("s3:GetObject lake/", 2), ("s3:ListObjectsV2", 2)]);
    world.judge().await;
}
