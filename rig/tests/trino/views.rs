//! The views of `athena/tables`, as they are written for Athena.

use event::{COLUMNS, ColumnType, Origin};
use rig::trino::Trino;

use crate::world::{EVENTS, SCHEMA, world};

/// A schema of its own: half of the events in the table, all of them in the raw log, a tenth of them twice.
const FRESH: &str = "fresh";

#[tokio::test]
async fn views_have_every_event_once_and_entities_as_they_are() {
    let trino = &world().await.trino;
    let rows = async |statement: &str| trino.run(FRESH, statement).await.unwrap().rows;
    let number = |rows: Vec<Vec<Option<String>>>| rows[0][0].as_ref().unwrap().parse::<usize>().unwrap();
    let count = async |statement: &str| number(rows(&format!("select count(*) from ({statement})")).await);
    fill(trino).await;
    for statement in views() {
        trino.run(FRESH, &statement).await.unwrap_or_else(|error| panic!("{error:?}: {statement}"));
    }

    assert_eq!(count("select 1 from requests").await, EVENTS / 2);
    assert_eq!(count("select distinct event_id from requests_fresh").await, EVENTS);
    assert_eq!(count("select 1 from requests_fresh").await, EVENTS);
    let line: Vec<&str> =
        COLUMNS.iter().filter(|column| column.origin == Origin::Line).map(|column| column.name).collect();
    let line = line.join(", ");
    let (fresh, all) = (format!("select {line} from requests_fresh"), format!("select {line} from {SCHEMA}.requests"));
    assert_eq!(count(&format!("{fresh} except {all}")).await, 0);
    assert_eq!(count(&format!("{all} except {fresh}")).await, 0);
    assert_eq!(count("select 1 from requests_fresh where raw_object = 'raw/1'").await, EVENTS / 2);

    let changes = "select * from requests where entity_version is not null \
         and operation in ('create', 'update', 'delete') and event_type not like 'request.%'";
    let last = format!(
        "select tenant, entity_type, entity_id, entity_version, operation = 'delete', state_after, state_hash from ( \
             select *, row_number() over (partition by tenant, entity_type, entity_id \
                 order by entity_version desc, event_id desc) as place from ({changes})) where place = 1"
    );
    let now = "select tenant, entity_type, entity_id, entity_version, is_deleted, state, state_hash from entities_now";
    assert_ne!(count(now).await, 0);
    assert_eq!(count(&format!("{now} except {last}")).await, 0);
    assert_eq!(count(&format!("{last} except {now}")).await, 0);

    assert_eq!(number(rows("select sum(requests) from visits").await), EVENTS / 2);
    let overlapping = "select 1 from visits a join visits b on a.tenant = b.tenant and a.visitor = b.visitor \
         and b.visit = a.visit + 1 where date_diff('second', a.last_at, b.first_at) <= 1800";
    assert_eq!(count(overlapping).await, 0);
    let visits = count("select 1 from visits").await;
    assert!(visits > 100, "{visits}");

    let of_user = |id: &str, expires: &str| {
        format!(
            "insert into requests (tenant, entity_type, entity_id, entity_version, received_at, event_id, event_type, \
                 operation, state_after) values ('t', 'user', '{id}', 1, timestamp '2026-11-20 09:30:26.123456', '{id}', \
                 'user.created', 'create', '{{{expires}\"userId\":\"{id}\"}}')"
        )
    };
    for (id, expires) in
        [("ended", "\"expires_at\":1600000000,"), ("ends", "\"expires_at\":99999999999,"), ("stays", "")]
    {
        rows(&of_user(id, expires)).await;
    }
    let there =
        rows("select entity_id from entities_now where tenant = 't' and not is_deleted order by entity_id").await;
    assert_eq!(there, [[Some("ends".to_owned())], [Some("stays".to_owned())]]);
}

async fn fill(trino: &Trino) {
    let requests = COLUMNS.iter().map(|column| match column.name {
        "ingested_at" => "cast(current_timestamp as timestamp(6)) as ingested_at".to_owned(),
        name => name.to_owned(),
    });
    let raw = COLUMNS.iter().filter(|column| column.origin == Origin::Line).map(|column| match column.kind {
        ColumnType::Timestamp => {
            format!("replace(cast({0} as varchar), ' ', 'T') || 'Z' as {0}", column.name)
        }
        _ => column.name.to_owned(),
    });
    let [requests, raw] = [requests.collect::<Vec<_>>(), raw.collect()].map(|columns: Vec<String>| columns.join(", "));
    let numbered = format!("(select *, row_number() over (order by event_id) as number from {SCHEMA}.requests)");
    let day = "date_format(current_timestamp, '%Y-%m-%d') as dt, '00' as hour";
    for statement in [
        format!("create schema {FRESH}"),
        format!("create table requests as select {requests} from {numbered} where number % 2 = 0"),
        format!("create table raw_events as select {raw}, 'raw/1' as \"$path\", {day} from {numbered}"),
        format!("insert into raw_events select {raw}, 'raw/2', {day} from {numbered} where number % 10 < 2"),
        // What came long ago is the compactor's alone to show.
        format!("insert into raw_events select {raw}, 'raw/0', '2026-01-01', '00' from {numbered} where number = 1"),
    ] {
        trino.run(FRESH, &statement).await.unwrap_or_else(|error| panic!("{error:?}: {statement}"));
    }
}

fn views() -> Vec<String> {
    let text = event::schema::views().replace("${database}", FRESH);
    let statements: Vec<String> =
        text.split(";\n").map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect();
    assert_eq!(statements.len(), 3);
    statements
}
