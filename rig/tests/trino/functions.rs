//! The functions of the portable dialect over every row, whether or not a question asks them so.

use query::QueryEngine;

use crate::world::{EVENTS, nothing, query_of, world};

/// Texts of every kind, and moments up to weeks apart.
const EXPRESSIONS: [&str; 34] = [
    "json_extract_scalar(request_body, '$.message')",
    "json_extract_scalar(request_body, '$.a[0].message')",
    "json_extract_scalar(request_body, '$[\"message\"]')",
    "json_extract_scalar(request_body, '$')",
    "json_extract_scalar(request_body, '$[0].message')",
    "try_cast(json_extract_scalar(request_body, '$.message') as bigint)",
    "json_extract_scalar(state_after, '$.task')",
    "try_cast(json_extract_scalar(state_after, '$.created_at') as bigint)",
    "strpos(request_body, '😀')",
    "strpos(user_id, '使用')",
    "substr(request_body, 1 + strpos(request_body, 'e'), 19)",
    "length(user_id)",
    "length(request_body)",
    "lower(request_body_sha256)",
    "user_id like '%_%'",
    "event_type not like 'request.%'",
    "coalesce(user_id, api_key_id, client_ip, '(unknown)')",
    "date_diff('millisecond', received_at, ingested_at)",
    "date_diff('second', ingested_at, received_at)",
    "date_diff('hour', received_at, ingested_at)",
    "date_diff('day', timestamp '2026-10-31 11:59:59.9995', received_at)",
    "date_diff('week', received_at, timestamp '2026-11-20 12:00:00')",
    "date_diff('month', received_at, timestamp '2027-02-28 12:00:00')",
    "date_diff('year', received_at, timestamp '2020-11-01 00:00:00')",
    "date_trunc('minute', received_at)",
    "date_trunc('week', received_at)",
    "date_trunc('month', received_at)",
    "received_at - interval '7' day",
    "hour(received_at) * 10000 + minute(received_at) * 100 + second(received_at)",
    "year(received_at) * 10000 + month(received_at) * 100 + day(received_at)",
    "day_of_week(received_at) * 100 + week(received_at)",
    "cast(date(received_at) as varchar)",
    "cast(request_bytes as double) / (status + 7)",
    "duration_ms * 3 - response_bytes",
];

#[tokio::test]
async fn every_function_gives_the_same_for_every_row() {
    let world = world().await;
    let (local, (_athena, engine)) = (world.local().await, world.athena(|_| {}).await);
    for expressions in EXPRESSIONS.chunks(6) {
        let named = expressions.iter().enumerate().map(|(number, text)| format!("{text} as x{number}"));
        let columns = named.collect::<Vec<_>>().join(", ");
        let query = query_of(format!("select event_id, request_body, {columns} from requests order by event_id"));
        let ours = local.run(&query, &nothing(&query)).await.unwrap();
        let theirs = engine.run(&query, &nothing(&query)).await.unwrap();
        assert_eq!(ours.columns, theirs.columns, "{expressions:?}");
        assert_eq!((ours.rows.len(), theirs.rows.len()), (EVENTS, EVENTS));
        for (ours, theirs) in ours.rows.iter().zip(&theirs.rows) {
            for (number, expression) in expressions.iter().enumerate() {
                assert_eq!(ours[number + 2], theirs[number + 2], "{expression} of {ours:?}");
            }
        }
    }
}

/// Paths of JSON, some of which are none: what one engine refuses, so does the other.
const PATHS: [&str; 22] = [
    "$",
    "$.a",
    "$.é",
    "$.a-b",
    "$.a:b",
    "$.$x",
    "$._",
    "$[0]",
    "$[a]",
    "$[\"a b\"]",
    "$[\"a\\\"b\"]",
    "$['a']",
    "$.a b",
    "$.a.",
    "$..a",
    "$[-1]",
    "$.*",
    "$[*]",
    "a",
    "",
    "$.a[0]",
    "$[\"a\"][\"0\"]",
];

#[tokio::test]
async fn paths_lead_to_the_same_or_nowhere() {
    let world = world().await;
    let (local, (_athena, engine)) = (world.local().await, world.athena(|_| {}).await);
    for path in PATHS {
        for json in
            [r#"{"a":"1","é":2,"a-b":3,"a:b":4,"$x":5,"_":6,"a b":7,"a\"b":8}"#, r#"{"a":[9],"0":10}"#, "[11]", "12"]
        {
            let query = query_of(format!("select json_extract_scalar('{json}', '{}') as x", path.replace('\'', "''")));
            let ours =
                local.run(&query, &nothing(&query)).await.map(|answer| answer.rows).map_err(|error| error.kind());
            let theirs =
                engine.run(&query, &nothing(&query)).await.map(|answer| answer.rows).map_err(|error| error.kind());
            assert_eq!(ours, theirs, "{path} in {json}");
        }
    }
}
