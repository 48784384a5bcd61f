-- name: late_events
-- question: How long do events take into the table, and how many are late?
-- grain: one row per hour of receipt that had requests, oldest first
-- params:
--   from timestamp = now - 24h : first moment that counts
--   to timestamp = now : first moment that no longer counts
--   late_seconds bigint = 3600 : what takes longer is late

with events_in_range as (
    select
        date_trunc('hour', received_at) as hour_start,
        date_diff('second', received_at, ingested_at) as seconds
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
),

per_hour as (
    select
        hour_start,
        count(*) as events,
        count_if(seconds > :late_seconds) as late,
        approx_percentile(seconds, 0.5) as p50_seconds,
        approx_percentile(seconds, 0.99) as p99_seconds,
        max(seconds) as longest_seconds
    from events_in_range
    group by hour_start
)

select *
from per_hour
order by hour_start
