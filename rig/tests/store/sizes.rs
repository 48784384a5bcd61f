//! What small changes cost: items as the API makes them, measured as DynamoDB bills them.

use ingest::Settings;

use crate::backend::{Backend, on_both};
use crate::rig::{Req, Rig, json};

/// As a function on AWS has them.
fn settings() -> Settings {
    Settings {
        service_version: "1.0.0".to_owned(),
        environment: "production".to_owned(),
        region: Some("eu-central-1".to_owned()),
        ingest_path: "direct".to_owned(),
        change_path: "stream".to_owned(),
        ..Settings::default()
    }
}

/// A request as a browser sends it through a gateway.
fn browser(request: Req) -> Req {
    request
        .h("host", "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com")
        .h("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
        .h("accept", "application/json, text/plain, */*")
        .h("accept-language", "de,en-US;q=0.7,en;q=0.3")
        .h("accept-encoding", "gzip, deflate, br, zstd")
        .h("origin", "https://shop.example")
        .h("referer", "https://shop.example/basket")
        .h("x-forwarded-for", "203.0.113.7")
        .h("x-amzn-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793")
        .h("x-forwarded-proto", "https")
        .h("content-type", "application/json")
}

/// Bytes of an item: names and values; half a byte a digit and one more for a number.
fn size(item: &std::collections::HashMap<String, aws_sdk_dynamodb::types::AttributeValue>) -> usize {
    use aws_sdk_dynamodb::types::AttributeValue::{B, Bool, N, S};
    let value = |value: &_| match value {
        S(text) => text.len(),
        B(bytes) => bytes.as_ref().len(),
        N(digits) => digits.len().div_ceil(2) + 1,
        Bool(_) => 1,
        other => panic!("no such attribute is written: {other:?}"),
    };
    item.iter().map(|(name, of)| name.len() + value(of)).sum()
}

/// A number of what `daybook cost` takes for measured.
fn measured(pointer: &str) -> f64 {
    let measured = include_str!("../../../daybook/src/cost/measured.json");
    let measured: serde_json::Value = serde_json::from_str(measured).unwrap();
    measured.pointer(pointer).and_then(serde_json::Value::as_f64).unwrap_or_else(|| panic!("{pointer}"))
}

/// Sizes by sort key.
async fn sizes(backend: &Backend) -> Vec<(String, usize)> {
    let items = backend.items().await;
    let mut sizes: Vec<_> = items.iter().map(|item| (item["sk"].as_s().unwrap().clone(), size(item))).collect();
    sizes.sort();
    sizes
}

#[test]
fn a_small_change_takes_four_write_units() {
    on_both(async |backend| {
        let rig = Rig::new(backend, settings());
        let made = rig
            .expect(
                201,
                browser(Req::post("/tasks", r#"{"task":"Ring the supplier about order 4711","priority":"high"}"#)),
            )
            .await;
        let path = format!("/tasks/{}", json(&made)["id"].as_str().unwrap());
        let update =
            Req::put(&path, r#"{"status":"in_progress","task":"Ring the supplier about orders 4711 and 4712"}"#);
        rig.expect(200, browser(update).h("idempotency-key", "5f2f3c0e-0d6b-4f0e-8a55-4d7e2f6b9b1a")).await;
        rig.expect(200, browser(Req::delete(&path))).await;
        let events = rig.backend.table_events().await;
        assert!(events.iter().all(|event| event.ingest_path == "stream"));
        let sizes = sizes(&rig.backend).await;
        println!("items {sizes:?}, lines {:?}", events.iter().map(|event| event.to_line().len()).collect::<Vec<_>>());
        assert_eq!(sizes.len(), 5, "three events, a state, a kept answer");
        // What `daybook cost` reckons with.
        let bytes = |sk: &str| sizes.iter().find(|(found, _)| found == sk).map_or(0, |(_, bytes)| *bytes);
        let units = |items: &[&str]| items.iter().map(|sk| 2 * bytes(sk).div_ceil(1_024)).sum::<usize>();
        assert_eq!(measured("/operations/change/write_units"), units(&["E#000000000002", "S"]) as f64);
        assert_eq!(measured("/operations/create/write_units"), (units(&["E#000000000001", "S"]) + 1) as f64);
        let stored = measured("/operations/change/stored_bytes");
        assert!(stored >= bytes("E#000000000002") as f64, "{stored} {sizes:?}");
        let lines = events.iter().map(|event| event.to_line().len()).sum::<usize>() / events.len();
        assert!((measured("/line_bytes") - lines as f64).abs() < 250.0, "lines have {lines} bytes");
        for (sk, bytes) in &sizes {
            assert!(*bytes <= 1_024, "{sk} is billed twice: {sizes:?}");
        }
        rig.verify().await;
    });
}

#[test]
fn a_small_submission_takes_one_write_unit_and_one_of_the_index() {
    on_both(async |backend| {
        let rig = Rig::new(backend, settings());
        let body =
            r#"{"user_id":"1234","message":"New record submission","order":{"id":4711,"items":[{"sku":"A-1","n":2}]}}"#;
        rig.expect(201, browser(Req::post("/data", body))).await;
        rig.expect(200, browser(Req::get("/data?user_id=1234"))).await;
        let log = rig.backend.log().await;
        assert_eq!(log.iter().map(|event| event.ingest_path.as_str()).collect::<Vec<_>>(), ["stream", "direct"]);
        let sizes = sizes(&rig.backend).await;
        println!("{sizes:?}");
        assert!(matches!(sizes.as_slice(), [(_, bytes)] if *bytes <= 1_024), "{sizes:?}");
        rig.verify().await;
    });
}
