//! API keys in the table: beside the store's own items, found by id, listed, revoked once.

use event::Timestamp;
use ingest::Settings;
use ingest::System;
use ingest::aws::{Found, KeyTable, StoreAudit};
use ingest::http::auth::key::{Minted, Wanted};
use ingest::http::auth::{ApiKey, Credentials, Issued, Scope};

use crate::backend::{Backend, SYSTEM};
use crate::rig::{Req, Rig, run};

fn minted(id: &str, tenant: &str, scope: Scope) -> Minted {
    let (id, tenant) = (Some(id.to_owned()), tenant.to_owned());
    Minted::new(Wanted { id, tenant, scope, expires_at: None }, System::real()).unwrap()
}

fn table(backend: &Backend) -> KeyTable {
    KeyTable::new(backend.clients.dynamodb.clone(), &backend.table, cloud::Deadline::default())
}

#[test]
fn a_key_is_added_once_found_listed_and_revoked_once() {
    run(async {
        let backend = Backend::new().await;
        let table = table(&backend);
        assert_eq!((table.find("web").await.unwrap(), table.all().await.unwrap()), (None, Vec::new()));
        let (web, other) = (minted("web", "red", Scope::Read), minted("a.b-C", "blue", Scope::Admin));
        assert!(table.add(&web.key).await.unwrap() && table.add(&other.key).await.unwrap());
        // The same again is an answer that was lost; another key under the id is refused.
        assert!(table.add(&web.key).await.unwrap());
        assert!(!table.add(&minted("web", "red", Scope::Admin).key).await.unwrap());
        assert_eq!(table.find("web").await.unwrap(), Some(web.key.clone()));
        let ids: Vec<String> = table.all().await.unwrap().into_iter().map(|key| key.id).collect();
        assert_eq!(ids, ["a.b-C", "web"]);
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        let revoked = ApiKey { revoked_at: Some(at(1)), ..web.key };
        assert_eq!(table.revoke("web", at(1)).await.unwrap(), Some(revoked.clone()));
        assert_eq!(table.revoke("web", at(2)).await.unwrap(), Some(revoked.clone()));
        assert_eq!(table.find("web").await.unwrap(), Some(revoked));
        assert_eq!(table.revoke("nobody", at(1)).await.unwrap(), None);
        assert!(!table.add(&minted("web", "red", Scope::Read).key).await.unwrap(), "an id is used once");
        for item in backend.items().await {
            assert!(!format!("{item:?}").contains("dbk_"), "a key in the table");
        }
        backend.clients.remove_stream(&backend.stream).await;
    });
}

#[test]
fn the_api_lets_in_who_is_in_the_table_and_an_audit_looks_past_them() {
    run(async {
        let backend = Backend::new().await;
        let (clients, stream) = (backend.clients.clone(), backend.stream.clone());
        let keys = table(&backend);
        let (writer, reader) = (minted("writer", "red", Scope::Write), minted("reader", "red", Scope::Read));
        keys.add(&writer.key).await.unwrap();
        keys.add(&reader.key).await.unwrap();
        let sdk = cloud::sdk::config().await;
        let audit = StoreAudit::connect(&sdk, &backend.table, &backend.bucket, SYSTEM);
        let credentials = Credentials { issued: Issued::Asked(keys.clone().into_find(System::real())), bearers: None };
        // A key of Terraform's beside them: who has none is refused.
        let configured = format!("ops:red:{}", event::sha256_hex(b"ops")).parse().unwrap();
        let settings = Settings { api_keys: vec![configured], ..Settings::default() };
        let rig = Rig::trusting(backend, settings, credentials);
        let create = |key: &str| Req::post("/tasks", r#"{"task":"t"}"#).h("x-api-key", key);
        rig.expect(201, create(&writer.text)).await;
        rig.expect(201, create("ops")).await;
        rig.expect(403, create(&reader.text)).await;
        rig.expect(200, Req::get("/tasks").h("x-api-key", &reader.text)).await;
        rig.expect(401, create(&format!("{}0", writer.text))).await;
        rig.expect(401, create("dbk_nobody_000000000000000000000000000000000000000000000000")).await;
        rig.expect(401, Req::get("/tasks")).await;
        // What was found is believed for a minute, and no longer: another process asks anew.
        keys.revoke("writer", (System::real().now)()).await.unwrap();
        rig.expect(201, create(&writer.text)).await;
        let mut states = 0;
        audit.read(|found| states += usize::from(matches!(found, Found::State(..)))).await.unwrap();
        assert_eq!(states, 3, "tasks, and no keys");
        clients.remove_stream(&stream).await;
    });
}
