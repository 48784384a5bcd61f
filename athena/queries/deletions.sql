-- name: deletions
-- question: What was deleted, by whom, and what was it?
-- grain: one row per deletion, newest first
-- params:
--   from timestamp = now - 7d : first moment that counts
--   to timestamp = now : first moment that no longer counts
--   limit limit = 100 : how many rows at most

with deletions as (
    select
        received_at,
        tenant,
        entity_type,
        entity_id,
        entity_version,
        coalesce(user_id, actor_id, api_key_id, actor_type) as deleted_by,
        client_ip,
        state_after,
        request_id,
        event_id
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
        and operation = 'delete'
        and entity_version is not null
        and event_type not like 'request.%'
)

select *
from deletions
order by received_at desc, event_id desc
limit :limit
