-- name: peaks
-- question: When was the load highest, and did the service bear it?
-- grain: one row per minute, busiest first
-- params:
--   from timestamp = now - 24h : first moment that counts
--   to timestamp = now : first moment that no longer counts
--   limit limit = 20 : how many rows at most

with requests_in_range as (
    select
        date_trunc('minute', received_at) as minute_start,
        status,
        duration_ms
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
),

per_minute as (
    select
        minute_start,
        count(*) as requests,
        count_if(status >= 500) as failed,
        approx_percentile(duration_ms, 0.95) as p95_ms,
        max(duration_ms) as max_ms
    from requests_in_range
    group by minute_start
)

select *
from per_minute
order by requests desc, minute_start
limit :limit
