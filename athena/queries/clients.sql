-- name: clients
-- question: Which client programs send requests, and how do they fare?
-- grain: one row per user agent, most requests first
-- params:
--   from timestamp = now - 24h : first moment that counts
--   to timestamp = now : first moment that no longer counts
--   limit limit = 50 : how many rows at most

with requests_in_range as (
    select
        coalesce(user_agent, '(none)') as user_agent,
        coalesce(user_id, api_key_id, client_ip, '(unknown)') as actor,
        status,
        duration_ms
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
),

per_client as (
    select
        user_agent,
        count(*) as requests,
        count(distinct actor) as actors,
        count_if(status between 400 and 499) as refused,
        count_if(status >= 500) as failed,
        approx_percentile(duration_ms, 0.95) as p95_ms
    from requests_in_range
    group by user_agent
)

select *
from per_client
order by requests desc, user_agent
limit :limit
