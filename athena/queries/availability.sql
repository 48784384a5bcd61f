-- name: availability
-- question: On how many requests did the API keep its promise, to answer and to answer in time?
-- grain: one row per day that had requests, oldest first
-- params:
--   from timestamp = now - 30d : first moment that counts
--   to timestamp = now : first moment that no longer counts
--   slow_ms bigint = 1000 : an answer that takes longer comes too late

with requests_in_range as (
    select
        date_trunc('day', received_at) as day_start,
        status,
        duration_ms
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
),

per_day as (
    select
        day_start,
        count(*) as requests,
        count_if(status >= 500) as failed,
        count_if(status < 500 and duration_ms > :slow_ms) as slow,
        cast(count_if(status < 500) as double) / count(*) as answered_share,
        cast(count_if(status < 500 and duration_ms <= :slow_ms) as double) / count(*) as good_share
    from requests_in_range
    group by day_start
)

select *
from per_day
order by day_start
