-- name: user_requests
-- question: What did this user do lately?
-- grain: one row per request of the user, newest first
-- params:
--   user_id string : the user's id
--   from timestamp = now - 7d : first moment that counts
--   to timestamp = now : first moment that no longer counts
--   limit limit = 100 : how many rows at most

with requests_of_user as (
    select
        received_at,
        method,
        path,
        status,
        event_type,
        error_type,
        entity_type,
        entity_id,
        client_ip,
        request_id,
        event_id
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
        and user_id = :user_id
)

select *
from requests_of_user
order by received_at desc, event_id desc
limit :limit
