-- name: authentication_failures
-- question: From which addresses do requests with wrong credentials come, and did any get in?
-- grain: one row per client address with such a request, most of them first
-- params:
--   from timestamp = now - 24h : first moment that counts
--   to timestamp = now : first moment that no longer counts
--   limit limit = 50 : how many rows at most

with requests_in_range as (
    select
        received_at,
        coalesce(client_ip, '(unknown)') as client_ip,
        path,
        user_agent,
        status in (401, 403) as is_refused,
        event_id
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
),

per_address as (
    select
        client_ip,
        count_if(is_refused) as refused,
        count_if(not is_refused) as let_in,
        count(distinct path) filter (where is_refused) as paths,
        min(received_at) filter (where is_refused) as first_at,
        max(received_at) filter (where is_refused) as last_at,
        max_by(user_agent, row(received_at, event_id)) filter (where is_refused) as last_user_agent
    from requests_in_range
    group by client_ip
),

suspects as (
    select *
    from per_address
    where refused > 0
)

select *
from suspects
order by refused desc, client_ip
limit :limit
