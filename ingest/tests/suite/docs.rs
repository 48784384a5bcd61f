//! The document as a page: whole, of nothing but itself, and small enough for every gateway.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ingest::Settings;
use ingest::http::auth::ApiKey;
use ingest::http::limits;
use sha2::{Digest, Sha256};

use crate::contract::operations;
use crate::rig::{Req, with_api};

/// What a load balancer takes from a function, bytes; API gateways take more.
const LOAD_BALANCER: usize = 1 << 20;

/// Every value of an attribute.
fn attributes<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    let mark = format!(" {name}=\"");
    page.split(mark.as_str()).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

#[test]
fn the_page_tells_of_every_route_and_loads_nothing() {
    let key: ApiKey = format!("k:t:{}", "0".repeat(64)).parse().unwrap();
    let settings = Settings { base_path: "/<v1>".to_owned(), api_keys: vec![key], ..Settings::default() };
    with_api(&settings, async |rig| {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        let response = rig.expect(200, Req::get("/<v1>/docs").h("accept", browser)).await;
        let page = String::from_utf8(response.body().to_vec()).unwrap();
        let ids: BTreeSet<&str> = attributes(&page, "id").into_iter().collect();
        assert_eq!(ids.len(), attributes(&page, "id").len(), "an id stands twice");
        for (_, path, operation) in operations() {
            assert!(ids.contains(operation["operationId"].as_str().unwrap()), "{path}");
        }
        for link in attributes(&page, "href") {
            let within = link.strip_prefix('#').is_some_and(|id| ids.contains(id));
            assert!(within || link == "openapi.json", "{link} leads nowhere");
        }
        for foreign in ["<script", "<img", "<link", "@import", "url(", "src=", "style=", "http://", "https://", "<v1>"]
        {
            assert!(!page.contains(foreign), "{foreign}");
        }
        let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
        let policy = response.header("content-security-policy").unwrap();
        assert!(policy.contains(&format!("'sha256-{}'", STANDARD.encode(Sha256::digest(style)))), "{policy}");
        assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{policy}");
        let tag = response.header("etag").unwrap();
        rig.expect(304, Req::get("/<v1>/docs").h("if-none-match", tag)).await;
        rig.expect(406, Req::get("/<v1>/docs").h("accept", "application/json")).await;
    });
}

#[test]
fn every_gateway_can_carry_it() {
    with_api(&Settings::default(), async |rig| {
        for path in ["/openapi.json", "/docs"] {
            let response = rig.expect(200, Req::get(path)).await;
            let size = limits::size_in_json(response.body());
            assert!(size < LOAD_BALANCER / 2, "{path}: {size}");
        }
    });
}
