//! Users and assets that end by themselves: what they are before, at and after their end, and how they begin anew.

use event::domain::Lifetime;
use ingest::Settings;
use serde_json::{Value, json as value};

use crate::problems::problem;
use crate::rig::{Req, Rig, json, with_api};

const DAY: i64 = 24 * 60 * 60;
/// The second of a request that names no other.
const TIME: i64 = 1_795_167_026;
const ANN: &str = r#"{"userId":"ann","email":"ann@example.org","name":"Ann Lee"}"#;
const CAT: &str = r#"{"assetId":"cat","fileName":"cat.png","contentType":"image/png"}"#;

/// Users for two days, assets for one.
fn short() -> Settings {
    let (user_lifetime, asset_lifetime) = (Lifetime::of_days(2), Lifetime::of_days(1));
    Settings { user_lifetime, asset_lifetime, ..Settings::default() }
}

async fn count(rig: &Rig, target: &str, later: i64) -> usize {
    let page = json(&rig.expect(200, Req::get(target).later(later)).await);
    let count = page["items"].as_array().unwrap().len();
    assert_eq!(page["count"], count);
    count
}

async fn expect_gone(rig: &Rig, later: i64, what: &str, requests: impl IntoIterator<Item = Req>) {
    for request in requests {
        let found = problem(&rig.expect(404, request.later(later)).await, "not-found");
        assert_eq!(found["message"], format!("{what} not found"));
    }
}

#[test]
fn a_user_is_there_until_its_end_and_each_change_puts_that_off() {
    with_api(&short(), async |rig| {
        let made = json(&rig.expect(201, Req::post("/users", ANN)).await);
        assert_eq!(made["user"]["expires_at"], TIME + 2 * DAY);
        rig.expect(200, Req::get("/users/ann").later(2 * DAY - 1)).await;
        // The same again is no change.
        let again = json(&rig.expect(200, Req::post("/users", ANN).later(DAY)).await);
        assert_eq!(again["user"]["expires_at"], TIME + 2 * DAY);
        let changed = rig.expect(200, Req::put("/users/ann", r#"{"name":"Ann Kim"}"#).later(2 * DAY - 1)).await;
        assert_eq!(json(&changed)["user"]["expires_at"], TIME + 4 * DAY - 1);
        assert_eq!(json(&rig.expect(200, Req::get("/users/ann").later(3 * DAY)).await), json(&changed)["user"]);

        let end = 4 * DAY - 1;
        assert_eq!((count(rig, "/users", end - 1).await, count(rig, "/users", end).await), (1, 0));
        let address = "/users?email=ann@example.org";
        assert_eq!((count(rig, address, end - 1).await, count(rig, address, end).await), (1, 0));
        let rename = || Req::put("/users/ann", r#"{"name":"x"}"#);
        expect_gone(
            rig,
            end,
            "User",
            [
                Req::get("/users/ann"),
                Req::new("HEAD", "/users/ann"),
                Req::get("/users/ann").h("if-none-match", "\"2\""),
                rename(),
                rename().h("if-match", "\"2\""),
                rename().h("if-match", "\"7\""),
                Req::delete("/users/ann"),
            ],
        )
        .await;
        let log = rig.backend.log().await;
        let changes = log.iter().filter(|event| event.event_type.starts_with("user.")).count();
        assert_eq!(changes, 2, "an end is no event");
    });
}

#[test]
fn what_has_ended_begins_anew_and_its_versions_go_on() {
    with_api(&short(), async |rig| {
        rig.expect(201, Req::post("/users", ANN)).await;
        let other = ANN.replace("Ann Lee", "Ann Kim");
        problem(&rig.expect(409, Req::post("/users", &other).later(2 * DAY - 1)).await, "conflict");
        let made = rig.expect(201, Req::post("/users", &other).later(2 * DAY)).await;
        let user = &json(&made)["user"];
        assert_eq!(made.header("etag"), Some("\"2\""));
        assert_eq!((&user["version"], &user["created_at"]), (&value!(2), &value!(TIME + 2 * DAY)));
        let event = rig.last_event().await;
        assert_eq!((event.event_type.as_str(), event.entity_version), ("user.created", Some(2)));
        // Just the same, too.
        assert_eq!(json(&rig.expect(201, Req::post("/users", &other).later(4 * DAY)).await)["user"]["version"], 3);
        // Removed, it has no end to come.
        rig.expect(200, Req::delete("/users/ann").later(4 * DAY)).await;
        let state: Value = serde_json::from_str(&rig.last_event().await.state_after.unwrap()).unwrap();
        assert_eq!((state.get("expires_at"), &state["deleted_at"]), (None, &value!(TIME + 4 * DAY)));
        assert_eq!(json(&rig.expect(201, Req::post("/users", ANN).later(4 * DAY)).await)["user"]["version"], 5);
    });
}

#[test]
fn a_moment_before_the_end_shows_the_state_and_one_after_none() {
    with_api(&short(), async |rig| {
        rig.expect(201, Req::post("/users", ANN)).await;
        rig.expect(201, Req::post("/users", ANN).later(3 * DAY)).await;
        // Made on the 20th and on the 23rd, at 09:30:26.123456.
        for (moment, version) in [
            ("as_of=2026-11-20T09:30:26.123455Z", None),
            ("as_of=2026-11-20T09:30:26.123456Z", Some(1)),
            ("as_of=2026-11-22T09:30:25.999999Z", Some(1)),
            ("as_of=2026-11-22T09:30:26Z", None),
            ("as_of=2026-11-23T09:30:26.123455Z", None),
            ("as_of=2026-11-23T09:30:26.123456Z", Some(2)),
            ("as_of=2026-11-25T09:30:25Z", Some(2)),
            ("as_of=2026-11-25T09:30:26Z", None),
            ("version=1", Some(1)),
            ("version=2", Some(2)),
            ("version=3", None),
        ] {
            for later in [3 * DAY, 30 * DAY] {
                let answer = rig.send(Req::get(&format!("/users/ann?{moment}")).later(later)).await;
                let expect = version.map_or((404, Value::Null), |version| (200, value!(version)));
                assert_eq!((answer.status(), json(&answer)["version"].clone()), expect, "{moment}");
            }
        }
        let history = json(&rig.expect(200, Req::get("/users/ann/history").later(30 * DAY)).await);
        let items = history["items"].as_array().unwrap();
        let operations: Vec<_> = items.iter().map(|item| item["operation"].as_str().unwrap()).collect();
        assert_eq!((operations, &history["complete"]), (vec!["create", "create"], &value!(true)));
    });
}

#[test]
fn the_address_of_one_who_has_ended_is_free() {
    with_api(&short(), async |rig| {
        let eve = ANN.replace("\"ann\"", "\"eve\"");
        rig.expect(201, Req::post("/users", ANN)).await;
        problem(&rig.expect(409, Req::post("/users", &eve).later(2 * DAY - 1)).await, "conflict");
        rig.expect(201, Req::post("/users", &eve).later(2 * DAY)).await;
        let found = json(&rig.expect(200, Req::get("/users?email=ANN@example.org").later(2 * DAY)).await);
        assert_eq!((&found["count"], &found["items"][0]["userId"]), (&value!(1), &value!("eve")));
        let taken = problem(&rig.expect(409, Req::post("/users", ANN).later(3 * DAY)).await, "conflict");
        assert_eq!(taken["errors"][0]["code"], "taken");
        rig.expect(201, Req::post("/users", &ANN.replace("ann@", "a@")).later(3 * DAY)).await;
        // Whoever changes the name alone keeps the address, and for longer.
        rig.expect(200, Req::put("/users/eve", r#"{"name":"Eve"}"#).later(3 * DAY)).await;
        let wants = || Req::put("/users/ann", r#"{"email":"ann@example.org"}"#);
        rig.expect(409, wants().later(4 * DAY)).await;
        rig.expect(200, Req::put("/users/ann", r#"{"name":"Ann"}"#).later(4 * DAY)).await;
        rig.expect(409, wants().later(5 * DAY - 1)).await;
        rig.expect(200, wants().later(5 * DAY)).await;
    });
}

#[test]
fn pages_pass_over_what_has_ended() {
    with_api(&short(), async |rig| {
        for n in 0..20 {
            let body = value!({"userId": format!("u{n:02}"), "email": format!("{n}@x.org"), "name": "N"}).to_string();
            rig.expect(201, Req::post("/users", &body).later(n)).await;
        }
        // Every third is changed on the next day, and there for a day longer.
        for n in (0..20).step_by(3) {
            rig.expect(200, Req::put(&format!("/users/u{n:02}"), r#"{"name":"M"}"#).later(DAY + n)).await;
        }
        let (mut target, mut walked) = ("/users?limit=2".to_owned(), Vec::new());
        loop {
            let response = rig.expect(200, Req::get(&target).later(2 * DAY + 60)).await;
            let page = json(&response);
            let items = page["items"].as_array().unwrap();
            walked.extend(items.iter().map(|user| user["userId"].as_str().unwrap().to_owned()));
            let Some(link) = response.header("link") else { break };
            assert_eq!(items.len(), 2, "whoever says that there is more has a whole page");
            target = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned();
        }
        assert_eq!(walked, ["u18", "u15", "u12", "u09", "u06", "u03", "u00"]);
        assert_eq!(count(rig, "/users?limit=2", 9 * DAY).await, 0);
    });
}

#[test]
fn an_asset_ends_after_its_announcement_whatever_happens_to_it() {
    with_api(&short(), async |rig| {
        let made = json(&rig.expect(201, Req::post("/assets", CAT)).await);
        let key = made["asset"]["key"].as_str().unwrap().to_owned();
        assert_eq!(made["asset"]["expires_at"], TIME + DAY);
        rig.backend.upload(&key, b"hello").await;
        let there = json(&rig.expect(200, Req::get("/assets/cat").later(60)).await);
        assert_eq!((&there["status"], &there["expires_at"]), (&value!("uploaded"), &value!(TIME + DAY)));
        rig.expect(200, Req::get("/assets/cat/download").later(DAY - 1)).await;
        for target in ["/assets", "/assets?status=uploaded"] {
            assert_eq!((count(rig, target, DAY - 1).await, count(rig, target, DAY).await), (1, 0));
        }
        let gets = ["/assets/cat", "/assets/cat/download"].map(Req::get);
        expect_gone(rig, DAY, "Asset", gets.into_iter().chain([Req::new("HEAD", "/assets/cat")])).await;
        rig.expect(200, Req::get("/assets/cat?as_of=2026-11-21T09:30:25Z").later(DAY)).await;
        rig.expect(404, Req::get("/assets/cat?as_of=2026-11-21T09:30:26Z").later(DAY)).await;
        // Whoever asks for the removal of one that has ended has its content removed.
        assert_eq!(rig.backend.assets().size(&key).await.unwrap(), Some(5));
        expect_gone(rig, DAY, "Asset", [Req::delete("/assets/cat")]).await;
        assert_eq!(rig.backend.assets().size(&key).await.unwrap(), None);

        let again = json(&rig.expect(201, Req::post("/assets", CAT).later(DAY)).await);
        let asset = &again["asset"];
        assert_eq!((&asset["version"], &asset["status"]), (&value!(3), &value!("pending")));
        assert_eq!(asset["expires_at"], TIME + 2 * DAY);
        assert_ne!(asset["key"], key.as_str());
        assert!(again["uploadUrl"].is_string());
        // One that is still to come has no URL any more once it has ended: the same again is another announcement.
        rig.expect(200, Req::post("/assets", CAT).later(2 * DAY - 1)).await;
        assert_eq!(json(&rig.expect(201, Req::post("/assets", CAT).later(2 * DAY)).await)["asset"]["version"], 4);
    });
}

#[test]
fn with_no_days_nothing_ends() {
    let settings =
        Settings { user_lifetime: Lifetime::UNBOUNDED, asset_lifetime: Lifetime::UNBOUNDED, ..Settings::default() };
    with_api(&settings, async |rig| {
        let user = json(&rig.expect(201, Req::post("/users", ANN)).await);
        let asset = json(&rig.expect(201, Req::post("/assets", CAT)).await);
        assert_eq!((user["user"].get("expires_at"), asset["asset"].get("expires_at")), (None, None));
        let later = 36_500 * DAY;
        rig.expect(200, Req::get("/users/ann").later(later)).await;
        rig.expect(200, Req::get("/assets/cat").later(later)).await;
        rig.expect(409, Req::post("/users", &ANN.replace("\"ann\"", "\"eve\"")).later(later)).await;
        let changed = json(&rig.expect(200, Req::put("/users/ann", r#"{"name":"A"}"#).later(later)).await);
        assert_eq!(changed["user"].get("expires_at"), None);
        assert_eq!((count(rig, "/users", later).await, count(rig, "/assets", later).await), (1, 1));
    });
}

/// The setting is of the request that changes, not of the one that reads.
#[test]
fn another_lifetime_holds_from_the_next_change_on() {
    with_api(&short(), async |rig| {
        rig.expect(201, Req::post("/users", ANN)).await;
        let endless = Settings { user_lifetime: Lifetime::UNBOUNDED, ..Settings::default() };
        let other = rig.another(endless);
        assert_eq!(other.handle(Req::get("/users/ann").later(2 * DAY).received()).await.status(), 404);
        let rename = Req::put("/users/ann", r#"{"name":"A"}"#).later(DAY);
        let changed = other.handle(rename.received()).await;
        assert_eq!((changed.status(), json(&changed)["user"].get("expires_at")), (200, None));
        let (later, eve) = (99 * DAY, ANN.replace("\"ann\"", "\"eve\""));
        assert_eq!(other.handle(Req::get("/users/ann").later(later).received()).await.status(), 200);
        assert_eq!(other.handle(Req::post("/users", &eve).later(later).received()).await.status(), 409);
    });
}
