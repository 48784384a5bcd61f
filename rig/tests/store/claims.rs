//! What is left in the table of a user who was removed, and of the e-mail that he had.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use ingest::Settings;

use crate::rig::{Req, with_api};

fn word<'a>(item: &'a HashMap<String, AttributeValue>, name: &str) -> Option<&'a str> {
    item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str)
}

#[test]
fn a_removed_user_s_versions_stay_and_his_claim_goes() {
    with_api(&Settings::default(), async |rig| {
        let found = async |pk: &str, sk: &str| {
            let is_it = |item: &&HashMap<String, AttributeValue>| {
                word(item, "pk").is_some_and(|key| key.starts_with(pk)) && word(item, "sk") == Some(sk)
            };
            rig.backend.items().await.iter().find(is_it).cloned().unwrap()
        };
        rig.expect(201, Req::post("/users", r#"{"userId":"ann","email":"a@x.org","name":"Ann"}"#)).await;
        let claim = found("C#default#user#email#", "C").await;
        assert_eq!((word(&claim, "owner"), claim.contains_key("expires")), (Some("ann"), true));
        assert!(!claim.values().any(|value| value.as_s().is_ok_and(|text| text.contains("a@x.org"))));

        rig.expect(200, Req::delete("/users/ann")).await;
        let claim = found("C#default#user#email#", "C").await;
        assert_eq!((word(&claim, "owner"), claim.contains_key("expires")), (None, true));
        let state = found("T#default#user#ann", "S").await;
        assert_eq!((state.contains_key("deleted"), state.contains_key("expires")), (true, false));
        assert!(found("T#default#user#ann", "E#000000000002").await.contains_key("expires"));

        rig.expect(201, Req::post("/users", r#"{"userId":"bob","email":"a@x.org","name":"Bob"}"#)).await;
        let claim = found("C#default#user#email#", "C").await;
        assert_eq!((word(&claim, "owner"), claim.contains_key("expires")), (Some("bob"), true));

        let path = format!("/tasks/{}", rig.task("a").await);
        rig.expect(200, Req::delete(&path)).await;
        assert!(found("T#default#task#", "S").await.contains_key("expires"), "a task's id never comes again");
    });
}
