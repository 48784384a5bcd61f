-- name: slowest
-- question: Which requests took longest?
-- grain: one row per request, slowest first
-- params:
--   from timestamp = now - 24h : first moment that counts
--   to timestamp = now : first moment that no longer counts
--   route string = null : only this route template, such as /tasks/{id}
--   limit limit = 20 : how many rows at most

with requests_in_range as (
    select
        duration_ms,
        received_at,
        method,
        route,
        path,
        status,
        request_bytes,
        response_bytes,
        cold_start,
        request_id,
        event_id
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
        and (:route is null or route = :route)
)

select *
from requests_in_range
order by duration_ms desc, event_id
limit :limit
