//! URLs that are signed for S3: what they are good for, and what comes of them.

use std::collections::BTreeMap;

use ::rig::outsider;
use ingest::Settings;
use serde_json::{Value, json as value};

use crate::rig::{Req, json, with_api};

fn announcement(length: Option<usize>) -> String {
    let mut body = value!({"assetId": "cat", "fileName": "Kätzchen 1.png", "contentType": "image/png"});
    if let Some(length) = length {
        body["contentLength"] = length.into();
    }
    body.to_string()
}

/// The parameters of a URL.
fn parameters(url: &Value) -> BTreeMap<String, String> {
    let query = url.as_str().unwrap().split_once('?').unwrap().1;
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

#[test]
fn a_url_is_for_one_key_one_method_one_type_and_length() {
    with_api(&Settings::default(), async |rig| {
        let made = json(&rig.expect(201, Req::post("/assets", &announcement(Some(5)))).await);
        let signed = parameters(&made["uploadUrl"]);
        assert_eq!(signed["X-Amz-SignedHeaders"], "content-length;content-type;host;if-none-match");
        assert_eq!((signed["X-Amz-Expires"].as_str(), signed["x-id"].as_str()), ("900", "PutObject"));
        assert_eq!(signed["X-Amz-Date"], "20261120T093026Z");
        assert!(signed.keys().all(|name| !name.to_ascii_lowercase().contains("checksum")), "{signed:?}");
        let key = made["asset"]["key"].as_str().unwrap();
        assert!(made["uploadUrl"].as_str().unwrap().split('?').next().unwrap().ends_with(key), "{made}");
        let headers = value!({"Content-Type": "image/png", "Content-Length": "5", "If-None-Match": "*"});
        assert_eq!(made["uploadHeaders"], headers);

        assert_eq!(outsider::upload(&made, b"hello").await, 200);
        assert_eq!(outsider::upload(&made, b"jello").await, 412, "a content is written once");
        let there = json(&rig.expect(200, Req::get("/assets/cat")).await);
        assert_eq!((&there["status"], &there["size"]), (&value!("uploaded"), &value!(5)));
        assert!(there["checksum"].as_str().is_some_and(|checksum| checksum.contains(':')), "{there}");

        let found = json(&rig.expect(200, Req::get("/assets/cat/download")).await);
        let signed = parameters(&found["downloadUrl"]);
        assert_eq!((signed["X-Amz-Expires"].as_str(), signed["x-id"].as_str()), ("900", "GetObject"));
        assert_eq!(signed["response-content-type"], "image/png");
        let disposition = "attachment; filename=\"K_tzchen 1.png\"; filename*=UTF-8''K%C3%A4tzchen%201.png";
        assert_eq!(signed["response-content-disposition"], disposition);
        let (status, head, body) = outsider::send("GET", found["downloadUrl"].as_str().unwrap(), &[], b"").await;
        assert_eq!((status, body.as_slice()), (200, &b"hello"[..]), "{head}");
        assert!(head.contains("content-type: image/png"), "{head}");

        rig.expect(200, Req::delete("/assets/cat")).await;
        assert_eq!(rig.backend.keys("assets/").await, Vec::<String>::new());
    });
}

#[test]
fn no_url_is_in_the_log_nor_in_the_table() {
    with_api(&Settings::default(), async |rig| {
        let create = || Req::post("/assets", &announcement(None)).h("idempotency-key", "k");
        let made = json(&rig.expect(201, create()).await);
        assert_eq!(made["uploadHeaders"], value!({"Content-Type": "image/png", "If-None-Match": "*"}));
        assert!(json(&rig.expect(201, create().later(9)).await)["uploadUrl"] != made["uploadUrl"]);
        let signature = parameters(&made["uploadUrl"])["X-Amz-Signature"].clone();
        let items = format!("{:?}", rig.backend.items().await);
        assert!(signature.len() == 64 && !items.contains("X-Amz") && !items.contains(&signature));
        for event in rig.backend.log().await {
            assert!(!String::from_utf8(event.to_line()).unwrap().contains("X-Amz"));
        }
    });
}
