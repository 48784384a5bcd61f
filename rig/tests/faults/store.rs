//! Rows "store" of the fault table.

use std::time::Duration;

use rig::flow::Req;
use rig::plan::{Fault, LATE, Plan};

use crate::world::{PUT, TRANSACTION, World, expect};

const LOOK: &str = "dynamodb:TransactGetItems";
const SUBMISSION: &str = "dynamodb:PutItem";

fn create() -> Req {
    Req::post("/tasks", r#"{"task":"a"}"#)
}

fn submit() -> Req {
    Req::post("/data", r#"{"user_id":"u","message":"m"}"#)
}

/// What becomes of a write that is refused twice, and of one that is always refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn throttled_5xx_timeout_before_processing() {
    let world = World::new().await;
    for (request, operation) in [(create(), TRANSACTION), (submit(), SUBMISSION)] {
        for (fault, looks) in [
            (Fault::Throttle, 0),
            (Fault::Unavailable, 1),
            (Fault::Internal, 1),
            (Fault::DropBefore, 1),
            (Fault::BreakOff, 1),
        ] {
            let twice = Plan::none().during(operation, 1..=2, fault);
            let (_, traffic) = world.under(twice, 201, request.clone()).await;
            expect(&traffic, &[(operation, 3)]);

            let always = Plan::none().always(operation, fault);
            let (refused, traffic) = world.under(always, 503, request.clone()).await;
            assert_eq!(traffic.count(operation), 3, "{fault:?}: {traffic}");
            assert_eq!(traffic.count(LOOK), looks, "{fault:?}: {traffic}");
            // A lost connection may hide a request that is still under way: then no one may say that nothing changed.
            let in_doubt = matches!(fault, Fault::DropBefore | Fault::BreakOff);
            assert_eq!(refused.event_id().is_some(), !in_doubt, "{fault:?}");
            assert_eq!(refused.header("retry-after").is_some(), !in_doubt, "{fault:?}");
            assert_eq!(traffic.count(PUT.0), usize::from(!in_doubt), "{fault:?}: {traffic}");
        }
    }
    let (sums, _) = world.judge().await;
    assert_eq!((sums.types["task.created"], sums.types["data.submitted"], sums.types["request.failed"]), (5, 5, 6));
    assert_eq!((sums.unknown, sums.unknown_but_logged), (4, 0));
}

/// Reads are repeated, too; if the store stays away, the answer is 503, and recorded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn throttled_5xx_timeout_of_a_read() {
    let world = World::new().await;
    let path = world.task().await;
    for fault in [
        Fault::Throttle,
        Fault::Unavailable,
        Fault::Internal,
        Fault::DropBefore,
        Fault::DropAfter,
        Fault::Truncate,
        Fault::Delay(LATE),
    ] {
        let twice = Plan::none().during("dynamodb:GetItem", 1..=2, fault);
        let (_, traffic) = world.under(twice, 200, Req::get(&path)).await;
        expect(&traffic, &[("dynamodb:GetItem", 3), PUT]);
        let always = Plan::none().always("dynamodb:GetItem", fault);
        let (refused, traffic) = world.under(always, 503, Req::get(&path)).await;
        expect(&traffic, &[("dynamodb:GetItem", 3), PUT]);
        assert!(refused.event_id().is_some() && refused.header("retry-after").is_some(), "{fault:?}");
    }
    let (sums, _) = world.judge().await;
    assert_eq!((sums.types["request.read"], sums.types["request.failed"]), (7, 7));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processed_answer_lost() {
    let world = World::new().await;
    let path = world.task().await;
    let update = Req::put(&path, r#"{"task":"b"}"#);
    for (request, operation, status) in
        [(create(), TRANSACTION, 201), (submit(), SUBMISSION, 201), (update, TRANSACTION, 200)]
    {
        for fault in [Fault::DropAfter, Fault::Truncate, Fault::Duplicate] {
            let once = Plan::none().on(operation, 1, fault);
            let (_, traffic) = world.under(once, status, request.clone()).await;
            assert_eq!(traffic.count(operation), if fault == Fault::Duplicate { 1 } else { 2 }, "{fault:?}: {traffic}");
            assert_eq!(traffic.count(PUT.0), 0, "one success, no second event: {traffic}");

            // Each answer is lost: a look finds out.
            let always = Plan::none().always(operation, Fault::DropAfter);
            let (_, traffic) = world.under(always, status, request.clone()).await;
            assert_eq!((traffic.count(operation), traffic.count(LOOK)), (3, 1), "{traffic}");
        }
    }
    let (sums, _) = world.judge().await;
    assert_eq!((sums.types["task.created"], sums.types["data.submitted"], sums.types["task.updated"]), (7, 6, 6));
    assert_eq!((sums.unknown, sums.types.get("request.failed")), (0, None));
}

/// The look fails, too: the client is told that nobody knows, and learns it under its key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processed_answer_lost_and_nobody_can_look() {
    let world = World::new().await;
    let keyed = |request: Req, key: &str| request.header("idempotency-key", key);
    for (key, fault, replayed) in [("made", Fault::DropAfter, true), ("not-made", Fault::DropBefore, false)] {
        let plan = Plan::none().always(TRANSACTION, fault).always(LOOK, Fault::Unavailable);
        let (unknown, traffic) = world.under(plan, 503, keyed(create(), key)).await;
        assert_eq!((unknown.event_id(), unknown.header("retry-after")), (None, None));
        assert_eq!((traffic.count(TRANSACTION), traffic.count(LOOK), traffic.count(PUT.0)), (3, 3, 0), "{traffic}");
        let again = world.send(201, keyed(create(), key)).await;
        assert_eq!(again.header("idempotency-replayed").is_some(), replayed, "{key}");
    }
    let (sums, _) = world.judge().await;
    assert_eq!((sums.types["task.created"], sums.unknown, sums.unknown_but_logged), (2, 2, 1));
}

/// A request that its sender has given up arrives in the end: nobody may have said by then that nothing was changed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timeout_and_processed_after_the_answer() {
    let world = World::new().await;
    let path = world.task().await;
    let late = Fault::Delay(Duration::from_secs(5));
    for (request, operation) in
        [(create(), TRANSACTION), (submit(), SUBMISSION), (Req::put(&path, r#"{"task":"b"}"#), TRANSACTION)]
    {
        let (unknown, _) = world.under(Plan::none().always(operation, late), 503, request).await;
        assert_eq!(unknown.event_id(), None);
    }
    let (sums, _) = world.judge().await;
    assert_eq!((sums.unknown, sums.unknown_but_logged), (3, 3));
}

/// Of two writers one wins each version: whoever is told 200 has made one, and everybody else is told so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_writers_on_one_entity() {
    let world = World::new().await;
    let path = world.task().await;
    // What DynamoDB says when transactions meet, beside the conditions that fail.
    world.flow.proxy.play(Plan::none().on(TRANSACTION, 2, Fault::Conflict).on(TRANSACTION, 5, Fault::Conflict));
    let writers = (0..6).map(|writer| {
        let (mut client, path, flow) = (world.client(&format!("w{writer}")), &path, &world.flow);
        async move {
            let mut won = 0;
            for _ in 0..4 {
                let answer = client.ask(flow, &Req::put(path, &format!(r#"{{"task":"{writer}"}}"#))).await.status();
                assert!([200, 409].contains(&answer), "{answer}");
                won += u64::from(answer == 200);
            }
            won
        }
    });
    let won: u64 = futures::future::join_all(writers).await.into_iter().sum();
    assert!(won >= 4, "every version has a winner: {won}");
    let (sums, evidence) = world.judge().await;
    assert_eq!(sums.types["task.updated"], won);
    assert_eq!(evidence.stored.values().flatten().next().unwrap().version as u64, won + 1);
}

/// A body at the limit stands in its item; one more byte, and it lies beside it before the item is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn item_near_400_kb() {
    const INLINE: usize = 64 << 10;
    let world = World::new().await;
    let body = |size: usize| {
        // Nothing that could be deflated to nothing.
        let mut random = rig::random::Random::new(size as u64);
        let frame = r#"{"user_id":"u","message":""}"#.len();
        let text: String = (0..size - frame).map(|_| char::from(b'a' + random.below(26) as u8)).collect();
        Req::post("/data", &format!(r#"{{"user_id":"u","message":"{text}"}}"#))
    };
    for (size, aside) in [(INLINE, 0), (INLINE + 1, 1), (1 << 20, 1)] {
        let (_, traffic) = world.under(Plan::none(), 201, body(size)).await;
        let operations = traffic.operations();
        assert_eq!(operations.iter().filter(|it| **it == "s3:PutObject bodies/").count(), aside, "{size}: {traffic}");
        assert_eq!(*operations.last().unwrap(), SUBMISSION, "the body is there before its event");
    }
    // The body cannot be kept: the request is refused, and nothing is there that names it.
    let plan = Plan::none().always("s3:PutObject bodies/", Fault::Unavailable);
    let (_, traffic) = world.under(plan, 503, body(INLINE + 1)).await;
    assert_eq!((traffic.count(SUBMISSION), traffic.count("s3:PutObject bodies/")), (0, 6), "{traffic}");
    // Its answer is lost: the object that is there is its own.
    let (_, traffic) =
        world.under(Plan::none().on("s3:PutObject bodies/", 1, Fault::DropAfter), 201, body(INLINE + 2)).await;
    expect(&traffic, &[("s3:PutObject bodies/", 2), (SUBMISSION, 1)]);
    let (sums, evidence) = world.judge().await;
    assert_eq!((sums.types["data.submitted"], evidence.bodies.len()), (4, 3));
}
