//! Lists, page by page, with tokens that are good for one list only.

use ingest::Settings;

use crate::rig::{Req, Rig, json, with_api};

/// Walks a list to its end by its tokens; gives the ids, and checks that links and tokens agree.
async fn walk(rig: &Rig, list: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut target = list.to_owned();
    loop {
        let response = rig.expect(200, Req::get(&target)).await;
        let page = json(&response);
        let items = page["items"].as_array().unwrap();
        assert_eq!(page["count"], items.len());
        ids.extend(items.iter().map(|item| item.get("id").unwrap_or(&item["version"]).to_string()));
        let Some(next) = page["next"].as_str() else {
            assert_eq!(response.header("link"), None);
            return ids;
        };
        let link = response.header("link").unwrap();
        target = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned();
        assert!(target.contains(next), "{target}");
    }
}

#[test]
fn three_pages_hold_everything_once_newest_first() {
    with_api(&Settings::default(), async |rig| {
        for n in 0..7 {
            rig.task(&n.to_string()).await;
            rig.expect(201, Req::post("/data", &format!(r#"{{"user_id":"a&b","message":"{n}"}}"#))).await;
        }
        for list in ["/tasks?limit=3", "/tasks?limit=3&status=new&priority=medium", "/data?user_id=a%26b&limit=3"] {
            let ids = walk(rig, list).await;
            let mut sorted = ids.clone();
            sorted.sort();
            sorted.dedup();
            sorted.reverse();
            assert_eq!((ids.len(), &ids), (7, &sorted), "{list}");
        }
        assert_eq!(walk(rig, "/tasks?limit=7").await.len(), 7);
        assert_eq!(walk(rig, "/tasks").await.len(), 7);
        assert!(walk(rig, "/tasks?status=completed").await.is_empty());
        assert!(walk(rig, "/data?user_id=nobody").await.is_empty());
    });
}

#[test]
fn a_list_may_change_under_the_walk() {
    with_api(&Settings::default(), async |rig| {
        let mut ids = Vec::new();
        for n in 0..6 {
            ids.push(rig.task(&n.to_string()).await);
        }
        let page = json(&rig.expect(200, Req::get("/tasks?limit=2")).await);
        rig.expect(200, Req::delete(&format!("/tasks/{}", ids[4]))).await;
        rig.expect(200, Req::delete(&format!("/tasks/{}", ids[2]))).await;
        rig.task("new").await;
        let next = format!("/tasks?limit=10&next={}", page["next"].as_str().unwrap());
        let rest = json(&rig.expect(200, Req::get(&next)).await);
        let found: Vec<_> = rest["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect();
        assert_eq!(found, [ids[3].as_str(), &ids[1], &ids[0]]);
    });
}

#[test]
fn a_history_has_pages_oldest_first() {
    with_api(&Settings::default(), async |rig| {
        let path = format!("/tasks/{}", rig.task("0").await);
        for n in 1..8 {
            rig.expect(200, Req::put(&path, &format!(r#"{{"task":"{n}"}}"#))).await;
        }
        let versions = walk(rig, &format!("{path}/history?limit=3")).await;
        assert_eq!(versions, ["1", "2", "3", "4", "5", "6", "7", "8"]);
        let first = json(&rig.expect(200, Req::get(&format!("{path}/history?limit=3"))).await);
        let second = format!("{path}/history?limit=3&next={}", first["next"].as_str().unwrap());
        let second = json(&rig.expect(200, Req::get(&second)).await);
        assert_eq!(second["items"][0]["changes"][0]["from"], "2");
        assert_eq!(second["complete"], true);
    });
}

#[test]
fn a_token_is_good_for_its_own_list_unaltered() {
    with_api(&Settings::default(), async |rig| {
        for n in 0..3 {
            rig.task(&n.to_string()).await;
        }
        let page = json(&rig.expect(200, Req::get("/tasks?limit=1&status=new")).await);
        let token = page["next"].as_str().unwrap();
        rig.expect(200, Req::get(&format!("/tasks?status=new&next={token}"))).await;
        rig.expect(400, Req::get(&format!("/tasks?next={token}"))).await;
        rig.expect(400, Req::get(&format!("/tasks?status=completed&next={token}"))).await;
        rig.expect(400, Req::get(&format!("/data?user_id=a&next={token}"))).await;
        rig.expect(400, Req::get(&format!("/tasks?status=new&next={token}&next={token}"))).await;
        for at in 0..token.len() {
            let mut altered = token.to_owned().into_bytes();
            altered[at] = if altered[at] == b'A' { b'Q' } else { b'A' };
            let altered = String::from_utf8(altered).unwrap();
            rig.expect(400, Req::get(&format!("/tasks?status=new&next={altered}"))).await;
        }
    });
}
