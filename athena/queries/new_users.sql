-- name: new_users
-- question: How many users are new each day, and how many come back?
-- grain: one row per day that had users, oldest first (new: not seen before since `from`)
-- params:
--   from timestamp = now - 30d : first moment that counts
--   to timestamp = now : first moment that no longer counts

with days_of_users as (
    select
        tenant,
        user_id,
        date_trunc('day', received_at) as day_start,
        count(*) as requests
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
        and user_id is not null
    group by tenant, user_id, date_trunc('day', received_at)
),

with_first_day as (
    select
        day_start,
        requests,
        min(day_start) over (partition by tenant, user_id) as first_day
    from days_of_users
),

per_day as (
    select
        day_start,
        count(*) as users,
        count_if(day_start = first_day) as new_users,
        count_if(day_start > first_day) as returning_users,
        sum(requests) as requests
    from with_first_day
    group by day_start
)

select *
from per_day
order by day_start
