-- name: duplicate_submissions
-- question: Which users submit the same thing more than once without an idempotency key?
-- grain: one row per user and body that was accepted more than once, most copies first
-- params:
--   from timestamp = now - 7d : first moment that counts
--   to timestamp = now : first moment that no longer counts
--   limit limit = 50 : how many rows at most

with submissions as (
    select
        tenant,
        coalesce(user_id, '(unknown)') as user_id,
        request_body_sha256,
        request_bytes,
        received_at,
        event_id
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
        and event_type = 'data.submitted'
        and request_body_sha256 is not null
        and idempotency_key is null
),

per_body as (
    select
        tenant,
        user_id,
        request_body_sha256,
        count(*) as copies,
        max(request_bytes) as request_bytes,
        date_diff('second', min(received_at), max(received_at)) as seconds_apart,
        min(received_at) as first_at,
        min(event_id) as first_event_id
    from submissions
    group by tenant, user_id, request_body_sha256
),

repeated as (
    select *
    from per_body
    where copies > 1
)

select *
from repeated
order by copies desc, tenant, user_id, request_body_sha256
limit :limit
