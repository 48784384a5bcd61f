-- name: visits
-- question: How often and how long do users stay, if a pause ends a visit?
-- grain: one row per day on which visits began, oldest first
-- params:
--   from timestamp = now - 7d : first moment that counts
--   to timestamp = now : first moment that no longer counts
--   gap_minutes bigint = 30 : a longer pause ends a visit

with requests_in_range as (
    select
        received_at,
        coalesce(user_id, api_key_id, client_ip, '(unknown)') as visitor
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
),

with_previous as (
    select
        visitor,
        received_at,
        lag(received_at) over (partition by visitor order by received_at) as previous_at
    from requests_in_range
),

numbered as (
    select
        visitor,
        received_at,
        sum(
            case when date_diff('second', previous_at, received_at) <= :gap_minutes * 60 then 0 else 1 end
        ) over (partition by visitor order by received_at) as visit
    from with_previous
),

visits as (
    select
        visitor,
        visit,
        count(*) as requests,
        min(received_at) as first_at,
        date_diff('second', min(received_at), max(received_at)) as seconds
    from numbered
    group by visitor, visit
),

per_day as (
    select
        date_trunc('day', first_at) as day_start,
        count(*) as visits,
        count(distinct visitor) as visitors,
        sum(requests) as requests,
        cast(sum(requests) as double) / count(*) as requests_per_visit,
        approx_percentile(seconds, 0.5) as p50_seconds,
        max(seconds) as longest_seconds
    from visits
    group by date_trunc('day', first_at)
)

select *
from per_day
order by day_start
