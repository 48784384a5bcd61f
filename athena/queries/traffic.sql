-- name: traffic
-- question: How many requests came in each hour, and how were they answered?
-- grain: one row per hour that had requests, oldest first
-- params:
--   from timestamp = now - 24h : first moment that counts
--   to timestamp = now : first moment that no longer counts

with requests_in_range as (
    select
        received_at,
        status,
        request_bytes,
        response_bytes
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
),

per_hour as (
    select
        date_trunc('hour', received_at) as hour_start,
        count(*) as requests,
        count_if(status between 200 and 299) as succeeded,
        count_if(status between 300 and 399) as redirected,
        count_if(status between 400 and 499) as refused,
        count_if(status >= 500) as failed,
        sum(request_bytes) as request_bytes,
        sum(coalesce(response_bytes, 0)) as response_bytes
    from requests_in_range
    group by date_trunc('hour', received_at)
)

select *
from per_hour
order by hour_start
