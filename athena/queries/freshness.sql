-- name: freshness
-- question: How far behind is each road into the log?
-- grain: one row per road into the log, the one furthest behind first
-- params:
--   from timestamp = now - 24h : first moment that counts
--   to timestamp = now : first moment that no longer counts

with events_in_range as (
    select
        ingest_path,
        received_at,
        ingested_at
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
),

per_path as (
    select
        ingest_path,
        count(*) as events,
        max(received_at) as newest_received_at,
        max(ingested_at) as newest_ingested_at,
        date_diff('second', max(received_at), :to) as seconds_behind
    from events_in_range
    group by ingest_path
)

select *
from per_path
order by seconds_behind desc, ingest_path
