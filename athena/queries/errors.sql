-- name: errors
-- question: Which requests were refused or failed, where and why?
-- grain: one row per route, method, status and kind of error, most frequent first
-- params:
--   from timestamp = now - 24h : first moment that counts
--   to timestamp = now : first moment that no longer counts
--   limit limit = 100 : how many rows at most

with refused_requests as (
    select
        received_at,
        request_id,
        coalesce(route, '(unmatched)') as route,
        method,
        status,
        coalesce(lower(error_type), '(none)') as error_type,
        event_id
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
        and status >= 400
),

per_error as (
    select
        route,
        method,
        status,
        error_type,
        count(*) as requests,
        min(received_at) as first_at,
        max(received_at) as last_at,
        max_by(request_id, row(received_at, event_id)) as last_request_id
    from refused_requests
    group by route, method, status, error_type
)

select *
from per_error
order by requests desc, route, method, status, error_type
limit :limit
