-- name: hour_of_week
-- question: At which hours of the week is the API used?
-- grain: one row per day of the week and hour that had requests, Monday is 1
-- params:
--   from timestamp = now - 28d : first moment that counts
--   to timestamp = now : first moment that no longer counts

with requests_in_range as (
    select
        day_of_week(received_at) as weekday,
        hour(received_at) as hour_of_day,
        date_trunc('day', received_at) as day_start,
        duration_ms
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
),

per_hour_of_week as (
    select
        weekday,
        hour_of_day,
        count(*) as requests,
        count(distinct day_start) as days,
        cast(count(*) as double) / count(distinct day_start) as requests_per_day,
        approx_percentile(duration_ms, 0.95) as p95_ms
    from requests_in_range
    group by weekday, hour_of_day
)

select *
from per_hour_of_week
order by weekday, hour_of_day
