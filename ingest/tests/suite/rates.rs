//! Who asks too often is told so, with an event as long as the log has room for it.

use ingest::Settings;
use ingest::http::rates::{Rate, RateSettings};
use ingest::http::{Problem, Response};

use crate::problems::problem;
use crate::rig::{Backend, Req, Rig, json, on_both, run};

fn rate(per_second: u32, burst: u32) -> Option<Rate> {
    Some(Rate { per_second: per_second.try_into().unwrap(), burst: burst.try_into().unwrap() })
}

fn settings(rates: RateSettings) -> Settings {
    let key = |id: &str| format!("{id}:{id}:{}", event::sha256_hex(id.as_bytes())).parse().unwrap();
    Settings { rates, api_keys: vec![key("red"), key("blue")], ..Settings::default() }
}

fn by(key: &str) -> Req {
    Req::get("/tasks").h("x-api-key", key)
}

#[track_caller]
fn told(answer: &Response, policy: &str, standing: &str) {
    assert_eq!(answer.header("ratelimit-policy"), Some(policy));
    assert_eq!(answer.header("ratelimit"), Some(standing));
}

#[test]
fn no_rate_holds_unless_it_is_set() {
    on_both(async |backend| {
        let rig = Rig::new(backend, Settings::default());
        for _ in 0..50 {
            let answer = rig.expect(200, Req::get("/random")).await;
            assert!(answer.header("ratelimit").is_none() && answer.header("ratelimit-policy").is_none());
        }
        assert!(json(&rig.expect(200, Req::get("/health")).await).get("rates").is_none());
    });
}

#[test]
fn a_key_s_burst_is_its_own() {
    on_both(async |backend| {
        // One a minute and less: the clock of the test does not matter.
        let rates = RateSettings { per_key: rate(1, 3), per_address: None };
        let rig = Rig::new(backend, settings(rates));
        for left in [2, 1, 0] {
            told(&rig.expect(200, by("red")).await, "\"key\";q=3;w=3", &format!("\"key\";r={left};t=1"));
        }
        let refused = rig.expect(429, by("red").body("{}")).await;
        assert_eq!(rig.last_event().await.request_body_encoding, "omitted");
        problem(&refused, "too-many-requests");
        told(&refused, "\"key\";q=3;w=3", "\"key\";r=0;t=1");
        assert_eq!(refused.header("retry-after"), Some("1"));
        let event = rig.last_event().await;
        assert_eq!((event.event_type.as_str(), event.route.as_deref()), ("request.rejected", Some("/tasks")));
        assert_eq!((event.tenant.as_str(), event.api_key_id.as_deref()), ("red", Some("red")));
        assert_eq!(event.error_type.as_deref(), Some("too-many-requests"));
        // Nobody else is concerned, and who has no key has no bucket of one.
        rig.expect(200, by("blue")).await;
        for _ in 0..5 {
            rig.expect(401, Req::get("/tasks")).await;
        }
    });
}

#[test]
fn an_address_counts_whatever_it_sends() {
    run(async {
        let rates = RateSettings { per_key: rate(1, 100), per_address: rate(1, 4) };
        let rig = Rig::new(Backend::memory(), settings(rates));
        let from = |request: Req| request.from("2001:db8::1");
        rig.expect(401, from(Req::get("/tasks").h("x-api-key", "guess"))).await;
        rig.expect(404, from(Req::get("/nothing"))).await;
        let answer = rig.expect(200, from(by("red"))).await;
        told(&answer, "\"address\";q=4;w=4, \"key\";q=100;w=100", "\"address\";r=1;t=1, \"key\";r=99;t=1");
        rig.api.refuse(from(Req::get("/tasks")).received(), Problem::invalid("x")).await;
        // Another address of the same network is the same asker's.
        let refused = rig.api.handle(by("red").from("2001:db8::2").received()).await;
        assert_eq!((refused.status(), refused.event_id().is_some()), (429, true));
        let event = rig.last_event().await;
        assert_eq!((event.actor_type.as_str(), event.tenant.as_str()), ("api_key", "red"), "its owner is to know");
        assert_eq!(rig.api.handle(by("red").from("2001:db8:0:1::1").received()).await.status(), 200);
    });
}

#[test]
fn what_the_server_refuses_counts_for_the_key() {
    run(async {
        let rates = RateSettings { per_key: rate(1, 3), per_address: None };
        let rig = Rig::new(Backend::memory(), settings(rates));
        let (mut refused, mut recorded, mut counted) = (0, 0, 0);
        for _ in 0..200 {
            let answer = rig.api.refuse(by("red").received(), Problem::too_large("x")).await;
            match (answer.status(), answer.event_id()) {
                (413, Some(_)) => refused += 1,
                (429, Some(_)) => recorded += 1,
                (429, None) => counted += 1,
                other => panic!("{other:?}"),
            }
        }
        assert!((3..=20).contains(&refused) && (3..=20).contains(&recorded) && counted > 150, "{refused} {recorded}");
        // Whoever else it is has as much as before, and who has no key is none of anybody's.
        assert_eq!(rig.api.refuse(by("blue").received(), Problem::too_large("x")).await.status(), 413);
        assert_eq!(rig.api.refuse(Req::get("/tasks").received(), Problem::too_large("x")).await.status(), 413);
        rig.verify().await;
    });
}

#[test]
fn a_flood_is_answered_and_counted_and_does_not_fill_the_log() {
    run(async {
        let rates = RateSettings { per_key: None, per_address: rate(1, 5) };
        let rig = Rig::new(Backend::memory(), settings(rates));
        let (mut recorded, mut counted) = (0, 0);
        for _ in 0..1_000 {
            let answer = rig.api.handle(by("red").received()).await;
            match (answer.status(), answer.event_id()) {
                (200, Some(_)) => {}
                (429, Some(_)) => recorded += 1,
                (429, None) => {
                    counted += 1;
                    problem(&answer, "too-many-requests");
                    assert!(answer.header("retry-after").is_some() && answer.header("daybook-event-id").is_none());
                }
                other => panic!("{other:?}"),
            }
        }
        // As many refusals as requests, and a few more if the test takes long.
        assert!((5..=20).contains(&recorded) && counted > 950, "{recorded} {counted}");
        assert!(rig.backend.log().await.len() <= 40);
        let health = json(&rig.api.handle(Req::get("/health").from("192.0.2.1").received()).await);
        assert_eq!(health["rates"]["requests_refused"], recorded + counted, "{health}");
        assert_eq!((&health["rates"]["addresses"], &health["rates"]["keys"]), (&2.into(), &serde_json::Value::Null));
        rig.verify().await;
    });
}
