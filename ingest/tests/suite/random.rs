//! `/random`: what decides the values, what context decides the type, and every parameter that can be wrong.

use ingest::Settings;
use serde_json::{Value, json as value};

use crate::problems::problem;
use crate::rig::{Req, json, with_api};

fn get(query: &str) -> Req {
    Req::get(&format!("/random{query}"))
}

#[test]
fn a_seed_gives_the_same_values_and_another_one_others() {
    with_api(&Settings::default(), async |rig| {
        for kind in ["integer", "float", "boolean", "uuid", "string", "hex", "color", "date", "name", "choice&of=a,b,c"]
        {
            let of = async |seed: &str| json(&rig.expect(200, get(&format!("?type={kind}&count=100{seed}"))).await);
            let first = of("&seed=7").await;
            assert_eq!(first, of("&seed=7").await, "{kind}");
            assert_eq!((&first["seed"], first["values"].as_array().map(Vec::len)), (&value!(7), Some(100)), "{kind}");
            assert_ne!(first["values"], of("&seed=8").await["values"], "{kind}");
            assert!(kind.starts_with(first["type"].as_str().unwrap()));
            let (drawn, again) = (of("").await, of("").await);
            assert_ne!(drawn["seed"], again["seed"], "{kind}");
            assert_eq!(drawn, of(&format!("&seed={}", drawn["seed"])).await, "{kind}");
            assert!(drawn["seed"].as_u64().unwrap() < 1 << 53);
        }
    });
}

#[test]
fn what_the_values_are() {
    with_api(&Settings::default(), async |rig| {
        let of = async |query: &str| json(&rig.expect(200, get(query)).await)["values"].clone();
        let all = async |query: &str, holds: fn(&Value) -> bool| {
            let values = of(query).await;
            assert!(values.as_array().unwrap().iter().all(holds), "{query}: {values}");
        };
        all("?count=100&type=integer", |value| (0..=100).contains(&value.as_i64().unwrap())).await;
        all("?count=100&min=-3&max=-1", |value| (-3..=-1).contains(&value.as_i64().unwrap())).await;
        all("?count=100&type=float", |value| value.is_f64() && (0.0..1.0).contains(&value.as_f64().unwrap())).await;
        all("?count=9&type=boolean", Value::is_boolean).await;
        all("?count=9&type=uuid", |value| {
            let text = value.as_str().unwrap();
            text.parse::<event::EventId>().is_ok() && &text[14..15] == "4" && "89ab".contains(&text[19..20])
        })
        .await;
        all("?count=9&type=string", |value| value.as_str().unwrap().len() == 16).await;
        all("?count=9&alphabet=%C3%A9x&length=1000", |value| {
            let text = value.as_str().unwrap();
            text.chars().count() == 1_000 && text.chars().all(|letter| "éx".contains(letter))
        })
        .await;
        all("?count=9&type=hex&length=7", |value| u32::from_str_radix(value.as_str().unwrap(), 16).unwrap() < 1 << 28)
            .await;
        all("?count=9&type=color", |value| {
            value.as_str().unwrap().starts_with('#') && value.as_str().unwrap().len() == 7
        })
        .await;
        all("?count=9&type=date", |value| value.as_str().unwrap().len() == 10).await;
        all("?count=9&type=name", |value| value.as_str().unwrap().split(' ').count() == 2).await;
        assert_eq!(of("?type=choice&of=only").await, value!(["only"]));
        assert_eq!(of("?min=9007199254740991&max=9007199254740991").await, value!([9_007_199_254_740_991_i64]));
    });
}

#[test]
fn context_decides_without_a_type() {
    with_api(&Settings::default(), async |rig| {
        for (query, kind) in [
            ("", "integer"),
            ("?count=3", "integer"),
            ("?min=5", "integer"),
            ("?max=5", "integer"),
            ("?length=5", "string"),
            ("?alphabet=ab", "string"),
            ("?of=a,b", "choice"),
        ] {
            assert_eq!(json(&rig.expect(200, get(query)).await)["type"], kind, "{query}");
        }
        for accept in ["application/json", "*/*", "text/plain;q=0.5, application/json"] {
            let found = rig.expect(200, get("?seed=1").h("accept", accept)).await;
            assert_eq!(found.header("content-type"), Some("application/json"), "{accept}");
        }
        for query in ["seed=1&count=3", "seed=1&type=name&count=100", "seed=1&type=float", "seed=1&of=a,b&count=2"] {
            let values = json(&rig.expect(200, get(&format!("?{query}"))).await)["values"].clone();
            let plain = rig.expect(200, get(&format!("?{query}")).h("accept", "text/plain")).await;
            assert_eq!(plain.header("content-type"), Some("text/plain; charset=utf-8"));
            assert_eq!(plain.header("daybook-seed"), Some("1"));
            let bare = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let lines: Vec<String> = values.as_array().unwrap().iter().map(bare).collect();
            assert_eq!(String::from_utf8_lossy(plain.body()), lines.join("\n"), "{query}");
        }
    });
}

#[test]
fn every_bad_parameter_is_named() {
    let long = "a".repeat(257);
    let many = vec!["a"; 257].join(",");
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("?type=", &[("type", "invalid_value")]),
        ("?type=Integer", &[("type", "invalid_value")]),
        ("?type=uuid&type=uuid", &[("type", "duplicate")]),
        ("?colour=red", &[("colour", "unknown")]),
        ("?type=odd&colour=red", &[("colour", "unknown"), ("type", "invalid_value")]),
        ("?count=0", &[("count", "invalid_value")]),
        ("?count=101", &[("count", "invalid_value")]),
        ("?count=-1", &[("count", "invalid_value")]),
        ("?count=1.5", &[("count", "invalid_value")]),
        ("?count=", &[("count", "invalid_value")]),
        ("?count=1&count=1", &[("count", "duplicate")]),
        ("?seed=-1", &[("seed", "invalid_value")]),
        ("?seed=9007199254740992", &[("seed", "invalid_value")]),
        ("?seed=18446744073709551616", &[("seed", "invalid_value")]),
        ("?seed=x", &[("seed", "invalid_value")]),
        ("?min=2&max=1", &[("min", "invalid_value")]),
        ("?min=101", &[("min", "invalid_value")]),
        ("?max=-1", &[("max", "invalid_value")]),
        ("?min=9007199254740992", &[("min", "invalid_value")]),
        ("?min=-9007199254740992&max=x", &[("min", "invalid_value"), ("max", "invalid_value")]),
        ("?max=99999999999999999999", &[("max", "invalid_value")]),
        ("?min=1e3", &[("min", "invalid_value")]),
        ("?min=%00", &[("min", "invalid_value")]),
        ("?length=0", &[("length", "invalid_value")]),
        ("?length=1001", &[("length", "invalid_value")]),
        ("?type=hex&length=0", &[("length", "invalid_value")]),
        ("?alphabet=", &[("alphabet", "invalid_value")]),
        ("?alphabet=a%00", &[("alphabet", "invalid_value")]),
        ("?alphabet=a%0A", &[("alphabet", "invalid_value")]),
        ("?alphabet=%ff", &[("alphabet", "invalid_value")]),
        ("?type=choice", &[("of", "missing")]),
        ("?of=", &[("of", "invalid_value")]),
        ("?of=a,,b", &[("of", "invalid_value")]),
        ("?of=a,", &[("of", "invalid_value")]),
        ("?of=a%0Ab", &[("of", "invalid_value")]),
        ("?of=a&of=b", &[("of", "duplicate")]),
        ("?type=integer&length=5", &[("length", "unknown")]),
        ("?length=5&min=1", &[("min", "unknown")]),
        ("?type=float&min=1&max=2", &[("min", "unknown"), ("max", "unknown")]),
        ("?type=uuid&of=a&alphabet=", &[("alphabet", "unknown"), ("of", "unknown")]),
    ];
    let sized = [
        (format!("?alphabet={long}"), [("alphabet", "invalid_value")]),
        (format!("?of={many}"), [("of", "invalid_value")]),
    ];
    let sized = sized.iter().map(|(query, expect)| (query.as_str(), expect.as_slice()));
    with_api(&Settings::default(), async |rig| {
        for (query, expect) in cases.iter().copied().chain(sized.clone()) {
            let found = problem(&rig.expect(400, get(query)).await, "invalid-request");
            let errors = found["errors"].as_array().unwrap();
            let named: Vec<(&str, &str)> = errors
                .iter()
                .map(|error| (error["pointer"].as_str().unwrap(), error["code"].as_str().unwrap()))
                .collect();
            assert_eq!(named, expect, "{query}");
        }
        let names: Vec<String> = (0..200).map(|n| format!("{n}{}=", "n".repeat(30))).collect();
        let found = json(&rig.expect(400, get(&format!("?{}", names.join("&")))).await);
        assert_eq!(found["errors"].as_array().unwrap().len(), 20);
        let found = json(&rig.expect(400, get(&format!("?{}=1", "n".repeat(8_000)))).await);
        assert_eq!(found["errors"][0]["pointer"], "n".repeat(64));
        rig.expect(406, get("").h("accept", "text/html")).await;
        rig.expect(405, Req::post("/random", "{}")).await;
    });
}

#[test]
fn it_is_recorded_like_any_request() {
    with_api(&Settings::default(), async |rig| {
        rig.expect(200, get("?type=uuid")).await;
        let event = rig.last_event().await;
        assert_eq!((event.event_type.as_str(), event.route.as_deref()), ("request.read", Some("/random")));
        assert_eq!((event.entity_type.as_deref(), event.operation.as_deref()), (Some("random"), Some("read")));
        assert_eq!((event.query_string.as_deref(), event.entity_version), (Some("type=uuid"), None));
        rig.expect(400, get("?type=odd")).await;
        assert_eq!(rig.last_event().await.event_type, "request.rejected");
    });
}
