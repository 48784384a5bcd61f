//! The column list in the words of those who read it: documentation, Athena, Terraform.
//!
//! Rendered from [`COLUMNS`], never written by hand; golden files hold the text.

use crate::column::{Column, ColumnType, Origin};
use crate::envelope::COLUMNS;

/// The columns as a JSON array of `{name, type, required, origin, meaning}`, one column a line.
pub fn json() -> String {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let columns: Vec<String> = COLUMNS
        .iter()
        .map(|column| {
            let origin = match column.origin {
                Origin::Line => "line",
                Origin::Compactor => "compactor",
            };
            format!(
                r#"  {{"name":{},"type":{},"required":{},"origin":{},"meaning":{}}}"#,
                text(column.name),
                text(column.kind.name()),
                column.required,
                text(origin),
                text(column.meaning),
            )
        })
        .collect();
    format!("[\n{}\n]\n", columns.join(",\n"))
}

/// The columns as a Markdown table.
pub fn markdown() -> String {
    let mut table = "| column | type | null | meaning |\n|---|---|---|---|\n".to_owned();
    for column in COLUMNS {
        let null = if column.required { "no" } else { "yes" };
        let meaning = column.meaning.replace('|', "\\|");
        table.push_str(&format!("| `{}` | {} | {null} | {meaning} |\n", column.name, column.kind.name()));
    }
    table
}

/// A statement for Athena: the external table `gateway_log` over the gateway's own log, all of its values text.
pub fn gateway_log() -> String {
    let columns: Vec<String> = crate::gateway::field_names().map(|name| format!("  `{name}` string")).collect();
    let columns = columns.join(",\n").to_lowercase();
    let projection = projection("gateway/");
    format!(
        "-- The gateway's own log as it lies in the bucket; the compactor turns into events what has none of its own.
CREATE EXTERNAL TABLE IF NOT EXISTS ${{database}}.gateway_log (
{columns}
)
PARTITIONED BY (`dt` string, `hour` string)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
WITH SERDEPROPERTIES ('ignore.malformed.json' = 'true', 'case.insensitive' = 'true')
STORED AS INPUTFORMAT 'org.apache.hadoop.mapred.TextInputFormat'
OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'
LOCATION 's3://${{bucket}}/gateway/'
TBLPROPERTIES (
{projection}
);
"
    )
}

/// What lets Athena reckon the places of objects by day and hour, rather than list them.
fn projection(prefix: &str) -> String {
    let place = format!("s3://${{bucket}}/{prefix}dt=${{dt}}/hour=${{hour}}/");
    let properties = [
        ("projection.enabled", "true"),
        ("projection.dt.type", "date"),
        ("projection.dt.format", "yyyy-MM-dd"),
        ("projection.dt.range", "2025-01-01,NOW+1DAYS"),
        ("projection.dt.interval", "1"),
        ("projection.dt.interval.unit", "DAYS"),
        ("projection.hour.type", "integer"),
        ("projection.hour.range", "0,23"),
        ("projection.hour.digits", "2"),
        ("storage.location.template", place.as_str()),
    ];
    properties.map(|(name, value)| format!("  '{name}' = '{value}'")).join(",\n")
}

/// Two statements for Athena: the external table `raw_events` over the raw objects, and the Iceberg table `requests`.
///
/// `${database}` and `${bucket}` are to be replaced; `${dt}` and `${hour}` are Athena's own. The Iceberg statement is
/// documentation: the compactor makes that table.
pub fn athena() -> String {
    let raw = definitions(raw_columns().map(|column| (column, raw_type(column))));
    let all = definitions(COLUMNS.iter().map(|column| (column, column.kind.name())));
    let projection = projection("raw/");
    format!(
        "-- Every raw object as it lies in the bucket, duplicates included. Times are text: the JSON reader takes no `T…Z`.
CREATE EXTERNAL TABLE IF NOT EXISTS ${{database}}.raw_events (
{raw}
)
PARTITIONED BY (`dt` string, `hour` string)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
WITH SERDEPROPERTIES ('ignore.malformed.json' = 'true')
STORED AS INPUTFORMAT 'org.apache.hadoop.mapred.TextInputFormat'
OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'
LOCATION 's3://${{bucket}}/raw/'
TBLPROPERTIES (
{projection}
);

-- Every event exactly once. The compactor makes this table and alone writes to it.
CREATE TABLE ${{database}}.requests (
{all}
)
PARTITIONED BY (day(received_at))
LOCATION 's3://${{bucket}}/lake/${{database}}/requests/'
TBLPROPERTIES ('table_type' = 'ICEBERG', 'format' = 'parquet', 'write_compression' = 'zstd');
"
    )
}

/// Three statements for Athena: views of the events that the table does not have yet, too, of entities as they are now, and
/// of visits.
///
/// `${database}` is to be replaced.
pub fn views() -> String {
    let all: Vec<String> = COLUMNS.iter().map(|column| format!("    {}", column.name)).collect();
    let pending: Vec<String> = COLUMNS.iter().map(|column| format!("    {}", of_raw(column))).collect();
    let (all, pending) = (all.join(",\n"), pending.join(",\n"));
    format!(
        "-- Every event once, also those that came within the last two days and that the compactor has not taken yet.
CREATE OR REPLACE VIEW ${{database}}.requests_fresh AS
WITH pending AS (
    SELECT
        *,
        \"$path\" AS raw_object,
        row_number() OVER (PARTITION BY event_id ORDER BY \"$path\") AS copy
    FROM ${{database}}.raw_events
    WHERE dt >= date_format(current_timestamp - INTERVAL '2' DAY, '%Y-%m-%d')
        AND event_id IS NOT NULL
        AND event_id NOT IN (
            SELECT event_id FROM ${{database}}.requests WHERE ingested_at >= current_timestamp - INTERVAL '4' DAY
        )
)

SELECT
{all}
FROM ${{database}}.requests
UNION ALL
SELECT
{pending}
FROM pending
WHERE copy = 1;

{OF_ENTITIES}
{OF_VISITS}"
    )
}

/// A column of the table, of a line of the raw log.
fn of_raw(column: &Column) -> String {
    let name = column.name;
    match (column.origin, column.kind) {
        (Origin::Compactor, ColumnType::Timestamp) => format!("CAST(NULL AS timestamp(6)) AS {name}"),
        (Origin::Line, ColumnType::Timestamp) => {
            format!("CAST(replace(substr({name}, 1, 26), 'T', ' ') AS timestamp(6)) AS {name}")
        }
        _ => name.to_owned(),
    }
}

const OF_ENTITIES: &str = "\
-- Every entity as its last change left it; those that are there no more, too: they were deleted, or their end has come.
CREATE OR REPLACE VIEW ${database}.entities_now AS
WITH latest AS (
    SELECT
        tenant,
        entity_type,
        entity_id,
        max(entity_version) AS entity_version,
        min(received_at) AS first_seen_at,
        max_by(received_at, row(entity_version, event_id)) AS changed_at,
        max_by(operation, row(entity_version, event_id)) AS operation,
        max_by(state_after, row(entity_version, event_id)) AS state,
        max_by(state_hash, row(entity_version, event_id)) AS state_hash
    FROM ${database}.requests
    WHERE entity_version IS NOT NULL
        AND operation IN ('create', 'update', 'delete')
        AND event_type NOT LIKE 'request.%'
    GROUP BY tenant, entity_type, entity_id
)

SELECT
    tenant,
    entity_type,
    entity_id,
    entity_version,
    first_seen_at,
    changed_at,
    operation = 'delete'
    OR coalesce(
        try_cast(json_extract_scalar(state, '$.expires_at') AS bigint) <= to_unixtime(current_timestamp), FALSE
    ) AS is_deleted,
    state,
    state_hash
FROM latest;
";

const OF_VISITS: &str = "\
-- Requests of one visitor with no pause of more than half an hour between them.
CREATE OR REPLACE VIEW ${database}.visits AS
WITH with_previous AS (
    SELECT
        tenant,
        coalesce(user_id, api_key_id, client_ip, '(unknown)') AS visitor,
        received_at,
        lag(received_at) OVER (
            PARTITION BY tenant, coalesce(user_id, api_key_id, client_ip, '(unknown)') ORDER BY received_at
        ) AS previous_at
    FROM ${database}.requests
),

numbered AS (
    SELECT
        tenant,
        visitor,
        received_at,
        sum(CASE WHEN date_diff('second', previous_at, received_at) <= 1800 THEN 0 ELSE 1 END) OVER (
            PARTITION BY tenant, visitor ORDER BY received_at
        ) AS visit
    FROM with_previous
)

SELECT
    tenant,
    visitor,
    visit,
    count(*) AS requests,
    min(received_at) AS first_at,
    max(received_at) AS last_at
FROM numbered
GROUP BY tenant, visitor, visit;
";

/// The raw table's columns as a file of Terraform's: the list of its `aws_glue_catalog_table`.
pub fn hcl() -> String {
    let text = |text: &str| {
        let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace("${", "$${").replace("%{", "%%{");
        format!("\"{escaped}\"")
    };
    let columns: Vec<String> = raw_columns()
        .map(|column| {
            let (name, kind, comment) = (text(column.name), text(raw_type(column)), text(column.meaning));
            format!("    {{ name = {name}, type = {kind}, comment = {comment} }},\n")
        })
        .collect();
    format!(
        "# The columns of a line, as `daybook schema --format hcl` prints them; a test holds them against the code.

locals {{
  raw_columns = [
{}  ]
}}
",
        columns.concat()
    )
}

fn raw_columns() -> impl Iterator<Item = &'static Column> {
    COLUMNS.iter().filter(|column| column.origin == Origin::Line)
}

fn raw_type(column: &Column) -> &'static str {
    match column.kind {
        ColumnType::Timestamp => ColumnType::String.name(),
        kind => kind.name(),
    }
}

fn definitions(columns: impl Iterator<Item = (&'static Column, &'static str)>) -> String {
    let lines: Vec<String> = columns
        .map(|(column, kind)| {
            // Engines differ in how a quotation mark is escaped; none is needed.
            let comment = column.meaning.replace('\'', "’");
            format!("  `{}` {kind} COMMENT '{comment}'", column.name)
        })
        .collect();
    lines.join(",\n")
}
