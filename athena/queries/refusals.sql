-- name: refusals
-- question: Why are requests refused?
-- grain: one row per reason and status, most frequent first
-- params:
--   from timestamp = now - 24h : first moment that counts
--   to timestamp = now : first moment that no longer counts

with refused_requests as (
    select
        received_at,
        coalesce(error_type, '(none)') as reason,
        status,
        route,
        coalesce(user_id, api_key_id, client_ip, '(unknown)') as actor,
        error_detail,
        event_id
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
        and status between 400 and 499
),

per_reason as (
    select
        reason,
        status,
        count(*) as requests,
        count(distinct route) as routes,
        count(distinct actor) as actors,
        min(received_at) as first_at,
        max(received_at) as last_at,
        max_by(error_detail, row(received_at, event_id)) as last_detail
    from refused_requests
    group by reason, status
),

shares as (
    select
        reason,
        status,
        requests,
        cast(requests as double) / sum(requests) over () as share,
        routes,
        actors,
        first_at,
        last_at,
        last_detail
    from per_reason
)

select *
from shares
order by requests desc, reason, status
