-- name: ingest_paths
-- question: Which road do events take into the log, and how many take the way around?
-- grain: one row per hour and road, oldest first
-- params:
--   from timestamp = now - 24h : first moment that counts
--   to timestamp = now : first moment that no longer counts

with events_in_range as (
    select
        date_trunc('hour', received_at) as hour_start,
        ingest_path,
        status
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
),

per_path as (
    select
        hour_start,
        ingest_path,
        count(*) as events,
        count_if(status >= 500) as failed
    from events_in_range
    group by hour_start, ingest_path
),

shares as (
    select
        hour_start,
        ingest_path,
        events,
        cast(events as double) / sum(events) over (partition by hour_start) as share,
        failed
    from per_path
)

select *
from shares
order by hour_start, ingest_path
