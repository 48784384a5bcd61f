//! Uploads that meet something on their way: a removal, another upload, a stop, a rate, a refusal.

use std::sync::Arc;

use event::sha256_hex;
use ingest::api::Admission;
use ingest::assets::AssetStore;
use ingest::http::ReceivedBody;
use ingest::http::auth::ApiKey;
use ingest::http::rates::{Rate, RateSettings};
use ingest::local::assets::{Folder, Swept};
use ingest::store::sqlite::SqliteStore;
use ingest::{Settings, System};
use serde_json::{Value, json as value};
use tokio::io::AsyncWriteExt;

use crate::backend::Backend;
use crate::contents::{PLAIN, SHA256, announce, call, files, target, text};
use crate::failing::{Faulty, Mode};
use crate::rig::{Req, Rig, json, run};
use crate::server::{rest, start};

#[test]
fn a_content_whose_asset_was_removed_meanwhile_is_removed() {
    run(async {
        let rig = Rig::new(Backend::sqlite(), Settings::default());
        let announce = async || {
            let made = json(&rig.expect(201, Req::post("/assets", &text("a").to_string()).h("host", "h")).await);
            made["asset"]["key"].as_str().unwrap().to_owned()
        };
        let kept = |key: &str| ReceivedBody::Kept { key: key.to_owned(), size: 5, sha256: SHA256.to_owned() };
        let put = |key: &str| Req::put("/assets/a/content", "").received_body(kept(key));
        let former = announce().await;
        rig.expect(200, Req::delete("/assets/a")).await;
        rig.backend.upload(&former, b"hello").await;
        rig.expect(404, put(&former)).await;
        assert_eq!(rig.backend.assets().size(&former).await.unwrap(), None);
        // And announced anew: what comes under the former key is not its own.
        let key = announce().await;
        rig.backend.upload(&former, b"hello").await;
        rig.expect(404, put(&former)).await;
        assert_eq!(rig.backend.assets().size(&former).await.unwrap(), None);
        rig.backend.upload(&key, b"hello").await;
        assert_eq!(json(&rig.expect(200, put(&key)).await)["asset"]["status"], "uploaded");
        rig.verify().await;
    });
}

#[test]
fn a_url_is_used_once_at_a_time() {
    run(async {
        let server = start().await;
        let url = target(&announce(&server, &text("a")).await["uploadUrl"]).to_owned();
        let mut first = server.connect().await;
        let head =
            format!("PUT {url} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n{PLAIN}\r\ncontent-length: 5\r\n\r\nhe");
        first.write_all(head.as_bytes()).await.unwrap();
        while files(&server).is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        let second = call(&server, "PUT", &url, &[PLAIN], b"hello").await;
        assert_eq!((second.status, second.header("retry-after")), (409, Some("1")));
        first.write_all(b"llo").await.unwrap();
        assert!(rest(&mut first).await.starts_with("HTTP/1.1 200 "));
        assert_eq!(files(&server).len(), 1);
        server.end().await;
    });
}

#[test]
fn an_upload_that_outlasts_a_stop_is_refused_and_recorded() {
    run(async {
        let server = start().await;
        let url = target(&announce(&server, &text("a")).await["uploadUrl"]).to_owned();
        let mut stream = server.connect().await;
        let head = format!("PUT {url} HTTP/1.1\r\nhost: h\r\n{PLAIN}\r\ncontent-length: 5\r\n\r\nhe");
        stream.write_all(head.as_bytes()).await.unwrap();
        while files(&server).is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        let (answer, ()) = tokio::join!(rest(&mut stream), server.end());
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("daybook-event-id: "), "{answer}");
        assert!(answer.contains("The server is stopping"), "{answer}");
    });
}

#[test]
fn rates_are_asked_for_before_a_content_is_read_and_never_after() {
    run(async {
        let one = std::num::NonZeroU32::MIN;
        let settings = Settings {
            rates: RateSettings { per_address: Some(Rate { per_second: one, burst: one }), per_key: None },
            ..Settings::default()
        };
        let rig = Rig::new(Backend::sqlite(), settings);
        let request = Req::post("/assets", &text("a").to_string()).h("host", "h").from("198.51.100.1");
        let made = json(&rig.expect(201, request).await);
        let key = made["asset"]["key"].as_str().unwrap().to_owned();
        let put = || Req::put(target(&made["uploadUrl"]), "").h("content-type", "text/plain").from("198.51.100.2");
        let (mut admitted, mut refused) = (Admission::default(), Admission::default());
        assert_eq!(rig.api.admit(&put().received(), &mut admitted).await.unwrap().key, key);
        let too_many = rig.api.admit(&put().received(), &mut refused).await.unwrap_err();
        assert_eq!(too_many.status, 429);
        assert_eq!(rig.api.respond(put().received(), Some(too_many), refused).await.status(), 429);
        let (flood, mut refused) = (put().received(), Admission::default());
        let too_many = rig.api.admit(&flood, &mut refused).await.unwrap_err();
        let answer = rig.api.respond(flood, Some(too_many), refused).await;
        assert_eq!((answer.status(), answer.event_id()), (429, None));
        rig.backend.upload(&key, b"hello").await;
        let kept = put().received_body(ReceivedBody::Kept { key, size: 5, sha256: SHA256.to_owned() });
        let answer = rig.api.respond(kept.received(), None, admitted).await;
        assert_eq!((answer.status(), answer.header("ratelimit").is_some()), (200, true));
        assert_eq!(rig.backend.log().await.len(), 3);
        rig.verify().await;
    });
}

#[test]
fn a_refused_upload_is_recorded_for_whose_url_it_was() {
    run(async {
        let key: ApiKey = format!("one:red:{}", sha256_hex(b"one")).parse().unwrap();
        let rig = Rig::new(Backend::sqlite(), Settings { api_keys: vec![key], ..Settings::default() });
        let request = Req::post("/assets", &text("a").to_string()).h("host", "h").h("x-api-key", "one");
        let made = json(&rig.expect(201, request).await);
        let mut admission = Admission::default();
        let put = Req::put(target(&made["uploadUrl"]), "").h("content-type", "text/html").received();
        let problem = rig.api.admit(&put, &mut admission).await.unwrap_err();
        assert_eq!(rig.api.respond(put, Some(problem), admission).await.status(), 415);
        let event = rig.last_event().await;
        assert_eq!((event.tenant.as_str(), event.status), ("red", 415));
        rig.verify().await;
    });
}

#[test]
fn long_tenants_have_contents_and_a_look_shares_its_work() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(dir.path(), [1; 4]).unwrap());
        let contents = Folder::new(store, [8; 32], System::real().random);
        let key = event::key::asset(&"é".repeat(300), "a", event::EventId::from_u128(7));
        let (draft, _) = contents.draft(&key).await.unwrap().write(b"hello"[..].into()).await.unwrap();
        assert_eq!(draft.keep().await.unwrap().sha256, SHA256);
        let (one, other) = tokio::join!(contents.find(&key), contents.find(&key));
        let (one, other) = (one.unwrap().unwrap(), other.unwrap().unwrap());
        assert_eq!((one.size, one.checksum == format!("sha256:{SHA256}"), &one), (5, true, &other));
        assert_eq!(contents.find("assets/a/b/c").await.unwrap(), None);
        let swept = contents.sweep((System::real().now)()).await.unwrap();
        assert_eq!(swept, Swept { contents: 1, removed: 0 });
    });
}

#[test]
fn a_kept_answer_has_a_url_for_the_content_that_it_announced_alone() {
    run(async {
        let backend = Backend::sqlite();
        let faulty = Faulty::before(&backend);
        let rig = Rig::on(backend, faulty.clone(), faulty.clone(), Settings::default());
        let announce = |key: &str, body: &Value| Req::post("/assets", &body.to_string()).h("idempotency-key", key);
        let nameless = value!({"fileName": "a", "contentType": "a/b"});
        let first = json(&rig.expect(201, announce("k", &nameless)).await);
        // Another process kept the answer between the look-up and the append.
        faulty.set(Mode::KeptLate);
        let loser = rig.expect(201, announce("k", &nameless)).await;
        assert_eq!(loser.header("idempotency-replayed"), Some("true"));
        assert_eq!(json(&loser)["asset"], first["asset"]);
        assert!(json(&loser)["uploadUrl"].is_string());
        faulty.set(Mode::Works);

        let former = json(&rig.expect(201, announce("l", &text("a"))).await);
        assert!(json(&rig.expect(201, announce("l", &text("a"))).await)["uploadUrl"].is_string());
        rig.expect(200, Req::delete("/assets/a")).await;
        rig.expect(201, announce("m", &text("a"))).await;
        let replayed = json(&rig.expect(201, announce("l", &text("a"))).await);
        assert_eq!((&replayed["asset"], replayed.get("uploadUrl")), (&former["asset"], None));
        rig.verify().await;
    });
}
