//! An asset's whole life, from its announcement to its removal, and every body that announces none.

use event::domain::asset::{Asset, Content, UNANNOUNCED_MAX};
use event::{Timestamp, sha256_hex};

use ingest::Settings;
use ingest::assets::Place;
use ingest::http::auth::ApiKey;
use ingest::http::{Response, limits};
use serde_json::{Value, json as value};

use crate::problems::problem;
use crate::rig::{NOW, Req, Rig, json, on_both, verify_log, with_api};

const CAT: &str = r#"{"assetId":"cat","fileName":"Kätzchen.png","contentType":"image/png"}"#;
const SHA256: &str = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

/// Announces an asset; its key and version.
async fn announce(rig: &Rig, body: &str) -> String {
    json(&rig.expect(201, Req::post("/assets", body)).await)["asset"]["key"].as_str().unwrap().to_owned()
}

fn without_url(response: &Response) -> Value {
    let mut body = json(response);
    for name in ["uploadUrl", "uploadHeaders", "expiresIn"] {
        body.as_object_mut().unwrap().remove(name);
    }
    body
}

#[test]
fn create_upload_read_download_delete() {
    with_api(&Settings::default(), async |rig| {
        let made = rig.expect(201, Req::post("/assets", CAT).h("host", "api.example:8080")).await;
        assert_eq!((made.header("location"), made.header("etag")), (Some("/assets/cat"), Some("\"1\"")));
        let body = json(&made);
        let key = body["asset"]["key"].as_str().unwrap().to_owned();
        assert_eq!(key, format!("assets/default/cat/{}", made.event_id().unwrap()));
        let time = 1_795_167_026;
        let pending = value!({"assetId": "cat", "fileName": "Kätzchen.png", "contentType": "image/png", "key": key,
            "status": "pending", "created_at": time, "updated_at": time,
            "expires_at": time + 30 * 24 * 60 * 60, "version": 1});
        assert_eq!(without_url(&made), value!({"id": "cat", "asset": pending}));
        assert_eq!((&body["expiresIn"], &body["uploadHeaders"]["Content-Type"]), (&value!(900), &value!("image/png")));
        assert!(body["uploadUrl"].is_string());
        let event = rig.last_event().await;
        assert_eq!((event.event_type.as_str(), event.entity_id.as_deref()), ("asset.created", Some("cat")));
        assert_eq!(event.response_bytes, Some(made.body().len() as i64));

        assert_eq!(json(&rig.expect(200, Req::get("/assets/cat")).await), pending);
        rig.expect(304, Req::get("/assets/cat").h("if-none-match", "\"1\"")).await;
        problem(&rig.expect(409, Req::get("/assets/cat/download")).await, "conflict");

        rig.backend.upload(&key, b"hello").await;
        assert_eq!(json(&rig.expect(200, Req::get("/assets?status=pending")).await)["count"], 1);
        let mut there = pending.clone();
        there["status"] = "uploaded".into();
        (there["size"], there["checksum"], there["version"]) = (5.into(), SHA256.into(), 2.into());
        there["updated_at"] = (time + 5).into();
        // The request that finds it is the one that records it.
        let found = rig.expect(200, Req::get("/assets/cat").later(5)).await;
        assert_eq!((json(&found), found.header("etag")), (there.clone(), Some("\"2\"")));
        let event = rig.last_event().await;
        assert_eq!((event.event_type.as_str(), event.method.as_str()), ("asset.uploaded", "GET"));
        assert_eq!((event.operation.as_deref(), event.entity_version), (Some("update"), Some(2)));
        assert_eq!(json(&rig.expect(200, Req::get("/assets/cat")).await), there);
        assert_eq!(rig.last_event().await.event_type, "request.read");

        let found = json(&rig.expect(200, Req::get("/assets/cat/download")).await);
        assert!(found["downloadUrl"].is_string() && found["expiresIn"] == 900, "{found}");
        assert_eq!(json(&rig.expect(200, Req::get("/assets?status=uploaded")).await)["items"], value!([there]));
        assert_eq!(json(&rig.expect(200, Req::get("/assets?status=pending")).await)["count"], 0);

        rig.expect(412, Req::delete("/assets/cat").h("if-match", "\"1\"")).await;
        assert_eq!(rig.backend.assets().size(&key).await.unwrap(), Some(5));
        let gone = rig.expect(200, Req::delete("/assets/cat").h("if-match", "\"2\"")).await;
        assert_eq!(json(&gone), value!({"message": "Asset deleted successfully", "id": "cat"}));
        assert_eq!(rig.last_event().await.event_type, "asset.deleted");
        assert_eq!(rig.backend.assets().size(&key).await.unwrap(), None);
        for request in
            ["/assets/cat", "/assets/cat/download"].map(Req::get).into_iter().chain([Req::delete("/assets/cat")])
        {
            assert_eq!(problem(&rig.expect(404, request).await, "not-found")["message"], "Asset not found");
        }
        assert_eq!(json(&rig.expect(200, Req::get("/assets")).await)["count"], 0);
    });
}

#[test]
fn a_download_is_a_look_as_well() {
    with_api(&Settings::default(), async |rig| {
        let key = announce(rig, CAT).await;
        rig.backend.upload(&key, b"hello").await;
        assert!(json(&rig.expect(200, Req::get("/assets/cat/download")).await)["downloadUrl"].is_string());
        assert_eq!(rig.last_event().await.event_type, "asset.uploaded");
        // As after the days that a bucket keeps contents.
        rig.backend.assets().remove(&key).await.unwrap();
        let found = problem(&rig.expect(404, Req::get("/assets/cat/download")).await, "not-found");
        assert_eq!(found["detail"], "The asset's content is not there any more.");
        assert_eq!(json(&rig.expect(200, Req::get("/assets/cat")).await)["status"], "uploaded");
    });
}

#[test]
fn the_same_again_is_answered_with_a_url_of_its_own() {
    with_api(&Settings::default(), async |rig| {
        let made = rig.expect(201, Req::post("/assets", CAT)).await;
        let again = rig.expect(200, Req::post("/assets", CAT).later(60)).await;
        assert_eq!((without_url(&again), again.header("etag")), (without_url(&made), Some("\"1\"")));
        assert!(json(&again)["uploadUrl"].is_string());
        assert_eq!(rig.last_event().await.event_type, "request.read");
        for other in [CAT.replace("png\"", "gif\""), CAT.replace("}", r#","contentLength":5}"#)] {
            problem(&rig.expect(409, Req::post("/assets", &other)).await, "conflict");
        }
        let key = json(&made)["asset"]["key"].as_str().unwrap().to_owned();
        rig.backend.upload(&key, b"hello").await;
        rig.expect(200, Req::get("/assets/cat")).await;
        let there = json(&rig.expect(200, Req::post("/assets", CAT)).await);
        assert_eq!((&there["asset"]["status"], there.get("uploadUrl")), (&value!("uploaded"), None));
        // Without an id every announcement is another asset.
        let nameless = r#"{"fileName":"a","contentType":"a/b"}"#;
        let made = rig.expect(201, Req::post("/assets", nameless)).await;
        assert_eq!(json(&made)["id"], made.event_id().unwrap().to_string());
        assert_ne!(json(&rig.expect(201, Req::post("/assets", nameless)).await)["id"], json(&made)["id"]);
    });
}

#[test]
fn a_kept_answer_has_no_url_and_gets_one_when_it_is_given_again() {
    with_api(&Settings::default(), async |rig| {
        let create = || Req::post("/assets", CAT).h("idempotency-key", "k");
        let made = rig.expect(201, create()).await;
        let scope_free = |response: &Response| (without_url(response), response.header("etag").map(str::to_owned));
        let again = rig.expect(201, create().later(60)).await;
        assert_eq!((again.header("idempotency-replayed"), scope_free(&again)), (Some("true"), scope_free(&made)));
        assert!(json(&again)["uploadUrl"].is_string());
        if let Some(folder) = rig.backend.folder() {
            let first = json(&made)["uploadUrl"].as_str().unwrap().to_owned();
            assert_ne!(json(&again)["uploadUrl"], first.as_str(), "it lasts from now");
            let signature = first.rsplit_once('=').unwrap().1.to_owned();
            assert_eq!(signature.len(), 64);
            for name in ["store.db", "store.db-wal"] {
                let bytes = std::fs::read(folder.join(name)).unwrap_or_default();
                assert!(!bytes.windows(64).any(|part| part == signature.as_bytes()), "{name} has the signature");
            }
        }
        rig.backend.upload(json(&made)["asset"]["key"].as_str().unwrap(), b"hello").await;
        rig.expect(200, Req::get("/assets/cat")).await;
        let again = rig.expect(201, create().later(120)).await;
        assert_eq!((json(&again)["asset"]["status"].as_str(), json(&again).get("uploadUrl")), (Some("pending"), None));
    });
}

#[test]
fn a_content_of_another_length_is_removed() {
    with_api(&Settings::default(), async |rig| {
        let key = announce(rig, &CAT.replace("}", r#","contentLength":5}"#)).await;
        for content in [&b"hell"[..], b"hello!", b""] {
            rig.backend.upload(&key, content).await;
            assert_eq!(json(&rig.expect(200, Req::get("/assets/cat")).await)["status"], "pending");
            assert_eq!(rig.backend.assets().size(&key).await.unwrap(), None);
        }
        rig.backend.upload(&key, b"hello").await;
        assert_eq!(json(&rig.expect(200, Req::get("/assets/cat")).await)["size"], 5);
        assert_eq!(UNANNOUNCED_MAX, 104_857_600, "docs/api.md says so");
        assert!(UNANNOUNCED_MAX > limits::BODY as i64);
    });
}

#[test]
fn one_that_was_removed_can_be_made_again_elsewhere() {
    with_api(&Settings::default(), async |rig| {
        let first = announce(rig, CAT).await;
        rig.expect(200, Req::delete("/assets/cat").later(60)).await;
        let made = json(&rig.expect(201, Req::post("/assets", CAT).later(120)).await);
        assert_eq!((&made["asset"]["version"], &made["asset"]["status"]), (&value!(3), &value!("pending")));
        assert_ne!(made["asset"]["key"], first.as_str());
        // A content that came to the first one's place is not the second one's.
        rig.backend.upload(&first, b"hello").await;
        assert_eq!(json(&rig.expect(200, Req::get("/assets/cat")).await)["status"], "pending");
        for (moment, status) in [
            ("version=1", 200),
            ("version=2", 404),
            ("version=3", 200),
            ("as_of=2026-11-20T09:31:00Z", 200),
            ("as_of=2026-11-20T09:32:00Z", 404),
            ("as_of=2026-11-20T09:33:00Z", 200),
        ] {
            rig.expect(status, Req::get(&format!("/assets/cat?{moment}"))).await;
        }
        let history = json(&rig.expect(200, Req::get("/assets/cat/history")).await);
        let operations: Vec<_> =
            history["items"].as_array().unwrap().iter().map(|item| item["operation"].as_str().unwrap()).collect();
        assert_eq!((operations, &history["complete"]), (vec!["create", "delete", "create"], &value!(true)));
        // A removal that is asked for again removes what came to its place meanwhile.
        rig.expect(200, Req::delete("/assets/cat").later(180)).await;
        let key = made["asset"]["key"].as_str().unwrap();
        rig.backend.upload(key, b"hello").await;
        rig.expect(404, Req::delete("/assets/cat")).await;
        assert_eq!(rig.backend.assets().size(key).await.unwrap(), None);
    });
}

#[test]
fn of_many_who_look_at_once_one_records_it() {
    on_both(async |backend| {
        let rig = Rig::new(backend, Settings::default());
        let key = announce(&rig, CAT).await;
        rig.backend.upload(&key, b"hello").await;
        let looks: Vec<_> = (0..32)
            .map(|_| {
                let api = rig.api.clone();
                tokio::spawn(async move { json(&api.handle(Req::get("/assets/cat").received()).await) })
            })
            .collect();
        for look in looks {
            assert_eq!(look.await.unwrap()["status"], "uploaded");
        }
        let log = rig.backend.log().await;
        verify_log(&log);
        assert_eq!(log.iter().filter(|event| event.event_type == "asset.uploaded").count(), 1);
        assert_eq!(log.len(), 33);
    });
}

#[test]
fn pages_are_by_creation() {
    with_api(&Settings::default(), async |rig| {
        for (n, id) in ["m", "b", "z", "a", "y"].iter().enumerate() {
            let key = json(&rig.expect(201, Req::post("/assets", &CAT.replace("cat", id)).later(n as i64 / 2)).await);
            if *id != "z" {
                rig.backend.upload(key["asset"]["key"].as_str().unwrap(), b"").await;
                rig.expect(200, Req::get(&format!("/assets/{id}"))).await;
            }
        }
        for (start, expect) in [
            ("/assets?limit=2", vec!["y", "z", "a", "m", "b"]),
            ("/assets?status=uploaded&limit=2", vec!["y", "a", "m", "b"]),
        ] {
            let (mut target, mut walked) = (start.to_owned(), Vec::new());
            loop {
                let response = rig.expect(200, Req::get(&target)).await;
                let page = json(&response);
                let items = page["items"].as_array().unwrap();
                walked.extend(items.iter().map(|asset| asset["assetId"].as_str().unwrap().to_owned()));
                let Some(link) = response.header("link") else { break };
                target = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned();
            }
            assert_eq!(walked, expect, "{start}");
        }
        rig.expect(400, Req::get("/assets?status=lost")).await;
    });
}

#[test]
fn tenants_share_nothing() {
    let key = |name: &str, tenant: &str| -> ApiKey {
        format!("{name}:{tenant}:{}", sha256_hex(name.as_bytes())).parse().unwrap()
    };
    let keys = vec![key("one", "red"), key("two", "../blue")];
    with_api(&Settings { api_keys: keys, ..Settings::default() }, async |rig| {
        let red = |request: Req| request.h("x-api-key", "one");
        let blue = |request: Req| request.h("x-api-key", "two");
        let made = json(&rig.expect(201, red(Req::post("/assets", CAT))).await);
        for path in ["/assets/cat", "/assets/cat/history", "/assets/cat/download"] {
            rig.expect(404, blue(Req::get(path))).await;
        }
        rig.expect(404, blue(Req::delete("/assets/cat"))).await;
        assert_eq!(json(&rig.expect(200, blue(Req::get("/assets"))).await)["count"], 0);
        let other = json(&rig.expect(201, blue(Req::post("/assets", CAT))).await);
        assert!(made["asset"]["key"].as_str().unwrap().starts_with("assets/red/cat/"));
        assert!(other["asset"]["key"].as_str().unwrap().starts_with("assets/~2E.~2Fblue/cat/"));
        rig.expect(401, Req::post("/assets", CAT)).await;
    });
}

#[test]
fn contents_lie_where_they_were_put() {
    on_both(async |backend| {
        let (assets, key) = (backend.assets(), "assets/default/a/1");
        assert_eq!((assets.size(key).await.unwrap(), assets.find(key).await.unwrap()), (None, None));
        backend.upload(key, b"hello").await;
        let content = Content { size: 5, checksum: SHA256.to_owned() };
        assert_eq!((assets.size(key).await.unwrap(), assets.find(key).await.unwrap()), (Some(5), Some(content)));
        let asset: Asset = serde_json::from_value(value!({"assetId": "a", "fileName": "n", "contentType": "a/b",
            "status": "pending", "key": key, "created_at": 0, "updated_at": 0, "version": 1}))
        .unwrap();
        let place =
            Place { api: "http://x/v1".to_owned(), tenant: "t&t".to_owned(), now: Timestamp::parse(NOW).unwrap() };
        let (up, down) = (assets.upload(&asset, &place).await.unwrap(), assets.download(&asset, &place).await.unwrap());
        assert!(up.headers.contains(&("Content-Type".to_owned(), "a/b".to_owned())));
        if backend.folder().is_some() {
            let start = "http://x/v1/assets/a/content?tenant=t%26t&expires=1795167926&signature=";
            assert!(up.url.starts_with(start) && down.starts_with(start) && up.url != down, "{up:?} {down}");
        }
        for _ in 0..2 {
            assets.remove(key).await.unwrap();
            assert_eq!(assets.size(key).await.unwrap(), None);
        }
    });
}

/// A body, and the fields that it is refused for.
type Case = (Vec<u8>, &'static [(&'static str, &'static str)]);

fn creations() -> Vec<Case> {
    let text = |text: &str| text.as_bytes().to_vec();
    let with = |field: &str, value: Value| {
        let mut body = value!({"assetId": "bob", "fileName": "a.png", "contentType": "image/png"});
        body[field] = value;
        body.to_string().into_bytes()
    };
    let long = |count: usize| value!("a".repeat(count));
    vec![
        (text(""), &[("", "malformed")]),
        (text("[]"), &[("", "invalid_type")]),
        (text("{}"), &[("/fileName", "missing"), ("/contentType", "missing")]),
        (with("assetId", Value::Null), &[("/assetId", "invalid_type")]),
        (with("assetId", value!("")), &[("/assetId", "invalid_value")]),
        (with("assetId", value!("a/b")), &[("/assetId", "invalid_value")]),
        (with("assetId", value!("..")), &[("/assetId", "invalid_value")]),
        (with("assetId", long(129)), &[("/assetId", "too_long")]),
        (with("fileName", Value::Null), &[("/fileName", "invalid_type")]),
        (with("fileName", value!("")), &[("/fileName", "invalid_value")]),
        (with("fileName", value!("..")), &[("/fileName", "invalid_value")]),
        (with("fileName", value!("../../etc/passwd")), &[("/fileName", "invalid_value")]),
        (with("fileName", value!("C:\\x")), &[("/fileName", "invalid_value")]),
        (with("fileName", value!("a\r\nSet-Cookie: x")), &[("/fileName", "invalid_value")]),
        (with("fileName", value!("a\0b")), &[("/fileName", "invalid_value")]),
        (with("fileName", value!("\u{202e}gnp.exe")), &[("/fileName", "invalid_value")]),
        (with("fileName", long(256)), &[("/fileName", "too_long")]),
        (with("contentType", value!("png")), &[("/contentType", "invalid_value")]),
        (with("contentType", value!("image/png\r\nx: y")), &[("/contentType", "invalid_value")]),
        (with("contentType", value!("image/*, text/html")), &[("/contentType", "invalid_value")]),
        (with("contentType", long(256)), &[("/contentType", "too_long")]),
        (with("contentLength", value!(-1)), &[("/contentLength", "invalid_value")]),
        (with("contentLength", value!(5.5)), &[("/contentLength", "invalid_value")]),
        (with("contentLength", value!(5_368_709_121_i64)), &[("/contentLength", "invalid_value")]),
        (with("contentLength", value!(u64::MAX)), &[("/contentLength", "invalid_value")]),
        (with("contentLength", value!("5")), &[("/contentLength", "invalid_type")]),
        (with("key", value!("raw/x")), &[("/key", "unknown")]),
        (with("status", value!("uploaded")), &[("/status", "unknown")]),
        (with("tenant", value!("blue")), &[("/tenant", "unknown")]),
        (text(r#"{"fileName":"a","fileName":"b","contentType":"a/b"}"#), &[("/fileName", "duplicate")]),
    ]
}

#[test]
fn bodies_that_are_refused() {
    with_api(&Settings::default(), async |rig| {
        for (body, expect) in creations() {
            let request = Req::new("POST", "/assets").body(body);
            let found = problem(&rig.expect(400, request.clone()).await, "invalid-request");
            let errors = found["errors"].as_array().unwrap();
            let named: Vec<(&str, &str)> = errors
                .iter()
                .map(|error| (error["pointer"].as_str().unwrap(), error["code"].as_str().unwrap()))
                .collect();
            assert_eq!(named, expect, "{request:?}");
            let event = rig.last_event().await;
            assert_eq!((event.event_type.as_str(), event.entity_version), ("request.rejected", None));
        }
        for path in ["/assets/%00", "/assets/a%20b", "/assets/a%2Fb/download", "/assets/%2e%2e", "/assets/none/history"]
        {
            rig.expect(404, Req::get(path)).await;
        }
        rig.expect(415, Req::post("/assets", CAT).h("content-type", "text/plain")).await;
        rig.expect(405, Req::put("/assets/cat", "{}")).await;
        assert_eq!(json(&rig.expect(200, Req::get("/assets")).await)["count"], 0);
    });
}
