-- name: unmatched_paths
-- question: Which paths do clients ask for that no route answers?
-- grain: one row per path and method, most requests first
-- params:
--   from timestamp = now - 24h : first moment that counts
--   to timestamp = now : first moment that no longer counts
--   limit limit = 50 : how many rows at most

with unmatched_requests as (
    select
        received_at,
        path,
        method,
        client_ip,
        user_agent,
        event_id
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
        and route is null
),

per_path as (
    select
        path,
        method,
        count(*) as requests,
        count(distinct client_ip) as addresses,
        min(received_at) as first_at,
        max(received_at) as last_at,
        max_by(user_agent, row(received_at, event_id)) as last_user_agent
    from unmatched_requests
    group by path, method
)

select *
from per_path
order by requests desc, path, method
limit :limit
