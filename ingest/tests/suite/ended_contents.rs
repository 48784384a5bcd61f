//! Contents on one machine of assets that have ended: no URL opens them, and the sweep removes them.

use std::sync::Arc;

use event::Timestamp;
use event::domain::Lifetime;
use ingest::api::Admission;
use ingest::local::assets::{Folder, Swept};
use ingest::store::sqlite::SqliteStore;
use ingest::{Settings, System};
use serde_json::json as value;

use crate::backend::Backend;
use crate::contents::{target, text};
use crate::rig::{NOW, Req, Rig, json, run};

const DAY: i64 = 24 * 60 * 60;

fn for_a_day() -> Settings {
    Settings { asset_lifetime: Lifetime::of_days(1), ..Settings::default() }
}

fn later(seconds: i64) -> Timestamp {
    Timestamp::from_micros(Timestamp::parse(NOW).unwrap().micros() + seconds * 1_000_000)
}

#[test]
fn no_url_opens_what_has_ended() {
    run(async {
        let rig = Rig::new(Backend::sqlite(), for_a_day());
        let announce = |at: i64| Req::post("/assets", &text("a").to_string()).h("host", "h").later(at);
        let made = json(&rig.expect(201, announce(0)).await);
        let again = json(&rig.expect(200, announce(DAY - 60)).await);
        assert_eq!((&made["expiresIn"], &again["expiresIn"]), (&value!(900), &value!(60)), "no URL outlives its asset");
        let put = |at: i64| {
            let request = Req::put(target(&again["uploadUrl"]), "x").h("content-type", "text/plain").later(at);
            let api = Arc::clone(&rig.api);
            async move { api.admit(&request.received(), &mut Admission::default()).await.map_err(|error| error.status) }
        };
        assert_eq!(put(DAY - 1).await.map(|asset| asset.asset_id), Ok("a".to_owned()));
        assert_eq!(put(DAY).await.map(|asset| asset.asset_id), Err(403));

        rig.backend.upload(made["asset"]["key"].as_str().unwrap(), b"hello").await;
        let found = json(&rig.expect(200, Req::get("/assets/a/download").h("host", "h").later(DAY - 60)).await);
        assert_eq!(found["expiresIn"], 60);
        let get = |at: i64| Req::get(target(&found["downloadUrl"])).later(at);
        rig.expect(200, get(DAY - 1)).await;
        rig.expect(403, get(DAY)).await;
        rig.verify().await;
    });
}

#[test]
fn the_sweep_removes_contents_of_what_has_ended() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(folder.path(), [1; 4]).unwrap());
        let rig = Rig::new(Backend::Sqlite(Arc::clone(&store), folder), for_a_day());
        let contents = Folder::new(store, [8; 32], System::real().random);
        let announced = async |id: &str, at: i64| {
            let made = json(&rig.expect(201, Req::post("/assets", &text(id).to_string()).later(at)).await);
            let key = made["asset"]["key"].as_str().unwrap().to_owned();
            rig.backend.upload(&key, b"hello").await;
            rig.backend.folder().unwrap().join(key)
        };
        let (first, second) = (announced("a", 0).await, announced("b", 60).await);
        rig.expect(200, Req::get("/assets/a")).await;
        assert_eq!(contents.sweep(later(DAY - 1)).await.unwrap(), Swept { contents: 2, removed: 0 });
        assert_eq!(contents.sweep(later(DAY)).await.unwrap(), Swept { contents: 2, removed: 1 });
        assert!(!first.exists() && second.exists());
        // Announced anew, it has another content, which stays.
        let third = announced("a", DAY).await;
        assert_eq!(contents.sweep(later(DAY + 60)).await.unwrap(), Swept { contents: 2, removed: 1 });
        assert!(third.exists() && !second.exists());
        rig.verify().await;
    });
}
