-- name: find_trace
-- question: Which requests belong to this trace?
-- grain: one row per request of the trace, oldest first
-- params:
--   trace_id string : id of the trace, 32 hex digits
--   from timestamp = now - 30d : first moment that counts
--   to timestamp = now : first moment that no longer counts

with found as (
    select
        received_at,
        tenant,
        method,
        path,
        status,
        event_type,
        error_type,
        entity_type,
        entity_id,
        entity_version,
        duration_ms,
        request_body,
        request_id,
        event_id
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
        and trace_id = :trace_id
)

select *
from found
order by received_at, event_id
