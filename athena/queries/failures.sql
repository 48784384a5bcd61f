-- name: failures
-- question: Which requests did the service fail last, and with what words?
-- grain: one row per failed request, newest first
-- params:
--   from timestamp = now - 24h : first moment that counts
--   to timestamp = now : first moment that no longer counts
--   limit limit = 50 : how many rows at most

with failed_requests as (
    select
        received_at,
        method,
        route,
        path,
        status,
        error_type,
        error_detail,
        duration_ms,
        service_version,
        trace_id,
        request_id,
        event_id
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
        and status >= 500
)

select *
from failed_requests
order by received_at desc, event_id desc
limit :limit
