-- name: submissions_by_user
-- question: How much did each user submit, and what last?
-- grain: one row per user, most submissions first
-- params:
--   from timestamp = now - 7d : first moment that counts
--   to timestamp = now : first moment that no longer counts
--   limit limit = 100 : how many rows at most

with submissions as (
    select
        event_id,
        received_at,
        coalesce(user_id, '(unknown)') as user_id,
        request_bytes,
        json_extract_scalar(request_body, '$.message') as message
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
        and event_type = 'data.submitted'
),

per_user as (
    select
        user_id,
        count(*) as submissions,
        sum(request_bytes) as request_bytes,
        min(received_at) as first_at,
        max(received_at) as last_at,
        max_by(event_id, row(received_at, event_id)) as last_event_id,
        max_by(message, row(received_at, event_id)) as last_message
    from submissions
    group by user_id
)

select *
from per_user
order by submissions desc, user_id
limit :limit
