//! What is left in table and bucket of users and assets that have ended.

use cloud::{Deadline, Invocation};
use event::Timestamp;
use event::domain::Lifetime;
use event::domain::user::{Command, Patch};
use ingest::aws::{Bucket, Uploads};
use ingest::store::{Append, Appended, EventStore};
use ingest::{Settings, System};
use rig::proxy::{Proxy, Upstreams};
use serde_json::json as value;

use crate::backend::Backend;
use crate::conformance::{NOW, done};
use crate::conformance_unique::{address, change, create, create_for, entity, listed_at};
use crate::rig::{Req, json, on_both, run, with_api};

const DAY: i64 = 24 * 60 * 60;
const CAT: &str = r#"{"assetId":"cat","fileName":"cat.png","contentType":"image/png"}"#;

fn for_a_day() -> Settings {
    Settings { asset_lifetime: Lifetime::of_days(1), ..Settings::default() }
}

/// A claim may be removed from its end on, a state never: versions go on from it.
#[test]
fn a_claim_ends_with_its_owner_and_the_state_stays() {
    on_both(async |backend| {
        let store = backend.dynamo(backend.settings());
        let ann = entity("red", "ann");
        let made = change(&store, 1, &ann, 0, create_for("ann", "a@x", Lifetime::of_days(1))).await;
        done(store.append(made).await.unwrap(), 1);
        let items = backend.items().await;
        let expires = |sk: &str| {
            let item = items.iter().find(|item| item["sk"].as_s() == Ok(&sk.to_owned())).unwrap();
            item.get("expires").map(|value| value.as_n().unwrap().parse::<i64>().unwrap())
        };
        assert_eq!((expires("C"), expires("S")), (Some(NOW / 1_000_000 + DAY), None));
        // As the table's TTL does, some time after.
        let claim = items.iter().find(|item| item["sk"].as_s() == Ok(&"C".to_owned())).unwrap();
        let delete = backend.clients.dynamodb.delete_item().table_name(&backend.table);
        delete.key("pk", claim["pk"].clone()).key("sk", claim["sk"].clone()).send().await.unwrap();
        let again = change(&store, 2, &ann, DAY, create_for("ann", "a@x", Lifetime::of_days(1))).await;
        done(store.append(again).await.unwrap(), 2);
        assert_eq!(store.load(&ann).await.unwrap().map(|stored| stored.version), Some(2));
    });
}

#[test]
fn a_content_that_comes_after_the_end_is_removed() {
    with_api(&for_a_day(), async |rig| {
        let made = json(&rig.expect(201, Req::post("/assets", CAT)).await);
        let key = made["asset"]["key"].as_str().unwrap().to_owned();
        rig.backend.upload(&key, b"hello").await;
        let invocation = Invocation { request_id: "i".to_owned(), trace_id: None, cold_start: false };
        let record =
            value!({"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {"object": {"key": key}}});
        let notice = value!({"Records": [record]}).to_string();
        let system = System { now: || Timestamp::parse("2026-11-21T09:30:26Z").unwrap(), ..System::real() };
        let bucket = Bucket::new(&cloud::sdk::config().await, &rig.backend.bucket, Deadline::default());
        let store = rig.backend.dynamo(rig.backend.settings());
        let uploads = Uploads::new(store, bucket, for_a_day(), system);
        assert_eq!(uploads.record(&notice, &invocation).await.unwrap(), 0);
        assert_eq!(rig.backend.keys("assets/").await, Vec::<String>::new());
        assert_eq!(rig.backend.log().await.len(), 1, "no change of what is there no more");
    });
}

/// What has ended stays in the index: a page past it is read by the hundred, not entry by entry.
#[test]
fn a_page_past_many_that_have_ended_takes_few_calls() {
    run(async {
        let proxy = Proxy::start(Upstreams::from_environment().unwrap()).await.unwrap();
        let backend = Backend::behind(&proxy).await;
        let store = backend.dynamo(backend.settings());
        for n in 0..250_u128 {
            let name = format!("u{n:03}");
            // The oldest of them has no end.
            let lifetime = Lifetime::of_days(u32::from(n > 0));
            let made = change(&store, n, &entity("red", &name), n as i64, create_for(&name, &name, lifetime)).await;
            done(store.append(made).await.unwrap(), n);
        }
        proxy.take();
        assert_eq!(listed_at(&store, 9 * DAY, None, None, 2).await.len(), 1);
        let calls = proxy.take();
        assert!((3..=10).contains(&calls.count("dynamodb:BatchGetItem")), "{calls}");
        backend.clients.remove_stream(&backend.stream).await;
    });
}

/// An earlier version took a user's end away, but not its claim's; another took the value when that had come.
#[test]
fn who_lost_a_value_gives_nothing_up() {
    on_both(async |backend| {
        let store = backend.dynamo(backend.settings());
        let (ann, eve) = (entity("red", "ann"), entity("red", "eve"));
        let made = change(&store, 1, &ann, 0, create_for("ann", "a@x", Lifetime::of_days(1))).await;
        done(store.append(made).await.unwrap(), 1);
        let renamed = Command::Update(Patch { email: None, name: Some("Ann".to_owned()) }, Lifetime::UNBOUNDED);
        let earlier = change(&store, 2, &ann, 60, renamed).await;
        done(store.append(Append { unique: None, ..earlier }).await.unwrap(), 2);
        let taken = change(&store, 3, &eve, DAY, create("eve", "a@x")).await;
        done(store.append(taken).await.unwrap(), 3);
        let moved = change(&store, 4, &ann, DAY, address("b@x")).await;
        done(store.append(moved).await.unwrap(), 4);
        let back = change(&store, 5, &ann, DAY, address("a@x")).await;
        assert_eq!(store.append(back).await.unwrap(), Appended::Taken);
        let removed = change(&store, 6, &ann, DAY, Command::Delete).await;
        done(store.append(removed).await.unwrap(), 6);
        let owners = listed_at(&store, DAY, Some("a@x"), None, 9).await;
        assert!(matches!(&owners[..], [key] if key.ends_with(".eve")), "{owners:?}");
    });
}
