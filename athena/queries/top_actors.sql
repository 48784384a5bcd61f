-- name: top_actors
-- question: Who sends most requests?
-- grain: one row per user, else API key, else client address, most requests first
-- params:
--   from timestamp = now - 24h : first moment that counts
--   to timestamp = now : first moment that no longer counts
--   limit limit = 20 : how many rows at most

with requests_in_range as (
    select
        received_at,
        status,
        request_bytes,
        case
            when user_id is not null then 'user'
            when api_key_id is not null then 'api_key'
            when client_ip is not null then 'client_ip'
            else 'unknown'
        end as actor_kind,
        coalesce(user_id, api_key_id, client_ip, '(unknown)') as actor,
        user_agent,
        event_id
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
),

per_actor as (
    select
        actor_kind,
        actor,
        count(*) as requests,
        count_if(status >= 400) as refused,
        sum(request_bytes) as request_bytes,
        min(received_at) as first_at,
        max(received_at) as last_at,
        max_by(user_agent, row(received_at, event_id)) as last_user_agent
    from requests_in_range
    group by actor_kind, actor
)

select *
from per_actor
order by requests desc, actor_kind, actor
limit :limit
