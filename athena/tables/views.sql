-- Every event once, also those that came within the last two days and that the compactor has not taken yet.
CREATE OR REPLACE VIEW ${database}.requests_fresh AS
WITH pending AS (
    SELECT
        *,
        "$path" AS raw_object,
        row_number() OVER (PARTITION BY event_id ORDER BY "$path") AS copy
    FROM ${database}.raw_events
    WHERE dt >= date_format(current_timestamp - INTERVAL '2' DAY, '%Y-%m-%d')
        AND event_id IS NOT NULL
        AND event_id NOT IN (
            SELECT event_id FROM ${database}.requests WHERE ingested_at >= current_timestamp - INTERVAL '4' DAY
        )
)

SELECT
    event_id,
    event_type,
    schema_version,
    received_at,
    tenant,
    request_id,
    trace_id,
    actor_type,
    actor_id,
    api_key_id,
    user_id,
    client_ip,
    user_agent,
    host,
    protocol,
    method,
    route,
    path,
    query_string,
    request_content_type,
    request_headers,
    request_bytes,
    request_body,
    request_body_encoding,
    request_body_sha256,
    request_body_ref,
    status,
    duration_ms,
    response_bytes,
    error_type,
    error_detail,
    idempotency_key,
    idempotency_outcome,
    entity_type,
    entity_id,
    entity_version,
    operation,
    event_data,
    state_after,
    state_hash,
    prev_event_hash,
    event_hash,
    service,
    service_version,
    environment,
    region,
    invocation_id,
    cold_start,
    ingest_path,
    raw_object,
    ingested_at
FROM ${database}.requests
UNION ALL
SELECT
    event_id,
    event_type,
    schema_version,
    CAST(replace(substr(received_at, 1, 26), 'T', ' ') AS timestamp(6)) AS received_at,
    tenant,
    request_id,
    trace_id,
    actor_type,
    actor_id,
    api_key_id,
    user_id,
    client_ip,
    user_agent,
    host,
    protocol,
    method,
    route,
    path,
    query_string,
    request_content_type,
    request_headers,
    request_bytes,
    request_body,
    request_body_encoding,
    request_body_sha256,
    request_body_ref,
    status,
    duration_ms,
    response_bytes,
    error_type,
    error_detail,
    idempotency_key,
    idempotency_outcome,
    entity_type,
    entity_id,
    entity_version,
    operation,
    event_data,
    state_after,
    state_hash,
    prev_event_hash,
    event_hash,
    service,
    service_version,
    environment,
    region,
    invocation_id,
    cold_start,
    ingest_path,
    raw_object,
    CAST(NULL AS timestamp(6)) AS ingested_at
FROM pending
WHERE copy = 1;

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
