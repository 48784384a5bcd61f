//! Rows "raw object" and "S3" of the fault table.

use std::io::Write;

use compactor::read_quarantine;
use event::Timestamp;
use event::key;
use flate2::Compression;
use flate2::write::GzEncoder;
use rig::flow::Req;
use rig::plan::{Fault, Plan};

use crate::world::{PUT, World, expect};

const FALLBACK: &str = "s3:PutObject raw/";

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(text).unwrap();
    gzip.finish().unwrap()
}

/// Some events that only the tests' own raw objects have: the stream's are taken out again.
async fn lines(world: &World, count: usize) -> Vec<Vec<u8>> {
    for _ in 0..count {
        world.send(404, Req::get("/nothing")).await;
    }
    let s3 = world.flow.s3();
    let mut lines = Vec::new();
    for object in world.flow.raw().list(None).await.unwrap() {
        let found = s3.get_object().bucket(world.flow.bucket()).key(&object.key).send().await.unwrap();
        lines.push(found.body.collect().await.unwrap().to_vec());
        s3.delete_object().bucket(world.flow.bucket()).key(&object.key).send().await.unwrap();
    }
    assert_eq!(lines.len(), count);
    lines
}

async fn put(world: &World, hours_ago: i64, name: &str, bytes: Vec<u8>) {
    let now = (ingest::System::real().now)().micros();
    let key = key::raw(Timestamp::from_micros(now - hours_ago * 3_600_000_000), name);
    world.flow.s3().put_object().bucket(world.flow.bucket()).key(key).body(bytes.into()).send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_by_hours_out_of_order_delivered_twice_multi_member_gzip() {
    let world = World::new().await;
    let lines = lines(&world, 6).await;
    // Newest first, and some twice in one object, in two members.
    put(&world, 0, "new", gzip(&[&lines[4][..], &lines[5], &lines[4]].concat())).await;
    world.flow.compact().await.unwrap();
    put(&world, 5, "members", [gzip(&lines[2]), gzip(&lines[3]), gzip(&lines[2])].concat()).await;
    world.flow.compact().await.unwrap();
    put(&world, 30, "late", [&lines[1][..], &lines[0], &lines[5]].concat()).await;
    put(&world, 29, "again", gzip(&lines.concat())).await;
    let (sums, evidence) = world.judge().await;
    assert_eq!((evidence.counts.lines, evidence.counts.rows, sums.duplicates), (15, 6, 9));
    assert_eq!(sums.types["request.rejected"], 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn truncated_flipped_bit_gzip_bomb_one_bad_line_among_good() {
    let world = World::new().await;
    let lines = lines(&world, 5).await;
    put(&world, 0, "bad-line", gzip(&[&lines[0][..], b"{\"event_id\":7}\n", &lines[1]].concat())).await;
    // What comes before the damage is read: the first member. The rest counts as one line.
    let mut truncated = [gzip(&lines[2]), gzip(&lines[3])].concat();
    truncated.truncate(truncated.len() - 12);
    put(&world, 0, "truncated", truncated).await;
    let mut flipped = gzip(&lines[3]);
    let at = flipped.len() - 6;
    flipped[at] ^= 1;
    put(&world, 0, "flipped", flipped).await;
    put(&world, 0, "bomb", gzip(&vec![b' '; 300 << 20])).await;
    put(&world, 0, "good", gzip(&[&lines[3][..], &lines[4]].concat())).await;
    let (sums, evidence) = world.judge().await;
    assert_eq!(sums.types["request.rejected"], 5, "every event is there, from one object or another");
    let (raw, mut kept) = (world.flow.raw(), Vec::new());
    for object in raw.list_quarantine().await.unwrap() {
        kept.extend(read_quarantine(&raw, &object.key).await.unwrap());
    }
    assert_eq!(kept.len() as u64, evidence.counts.quarantined);
    let second = kept.iter().find(|line| line.raw_object.contains("bad-line")).expect("it is kept");
    assert_eq!((second.line, second.text.as_deref()), (2, Some(r#"{"event_id":7}"#)));
}

/// The fallback's object and its retries: one whole object, or none and an answer that says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn put_broken_off_503_412_and_409() {
    let world = World::new().await;
    let without_firehose = || Plan::none().always(PUT.0, Fault::Unavailable);
    for fault in [
        Fault::BreakOff,
        Fault::Throttle,
        Fault::Internal,
        Fault::Conflict,
        // The object is there, and the second attempt is told 412.
        Fault::DropAfter,
        Fault::Truncate,
    ] {
        let plan = without_firehose().on(FALLBACK, 1, fault);
        let (_, traffic) = world.under(plan, 404, Req::get("/nothing")).await;
        assert_eq!((traffic.count(PUT.0), traffic.count(FALLBACK)), (3, 2), "{fault:?}: {traffic}");
    }
    let objects = world.flow.raw().list(None).await.unwrap();
    assert_eq!(objects.len(), 6, "one object each");
    for fault in [Fault::BreakOff, Fault::Throttle, Fault::Conflict] {
        let (refused, _) = world.under(without_firehose().always(FALLBACK, fault), 503, Req::get("/nothing")).await;
        assert_eq!(refused.event_id(), None);
    }
    let (sums, evidence) = world.judge().await;
    assert_eq!((sums.types["request.rejected"], sums.unknown, sums.unknown_but_logged), (6, 3, 0));
    assert_eq!((evidence.counts.objects, evidence.counts.lines, evidence.counts.quarantined), (6, 6, 0));
}

/// A body that breaks off on its way is read to its end all the same: no good line is taken for a damaged one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn get_broken_off() {
    let world = World::new().await;
    for _ in 0..3 {
        world.send(404, Req::get("/nothing")).await;
    }
    let plan =
        Plan::none().during("s3:GetObject raw/", 1..=3, Fault::Truncate).on("s3:ListObjectsV2", 1, Fault::Truncate);
    world.flow.proxy.play(plan);
    world.flow.compact().await.unwrap();
    let traffic = world.flow.proxy.take();
    assert_eq!((traffic.count("s3:GetObject raw/"), traffic.count("s3:ListObjectsV2")), (6, 3), "{traffic}");
    let (sums, evidence) = world.judge().await;
    assert_eq!((sums.types["request.rejected"], evidence.counts.quarantined, sums.duplicates), (3, 0, 0));
    expect(&world.under(Plan::none(), 404, Req::get("/nothing")).await.1, &[PUT]);
}
