-- name: changes_by_author
-- question: Who changed most?
-- grain: one row per person or key and kind of entity, most changes first
-- params:
--   from timestamp = now - 7d : first moment that counts
--   to timestamp = now : first moment that no longer counts
--   limit limit = 100 : how many rows at most

with changes as (
    select
        coalesce(user_id, actor_id, api_key_id, actor_type) as changed_by,
        entity_type,
        entity_id,
        operation,
        received_at
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
        and entity_version is not null
        and operation in ('create', 'update', 'delete')
        and event_type not like 'request.%'
),

per_entity as (
    select
        changed_by,
        entity_type,
        entity_id,
        count(*) as changes,
        count_if(operation = 'create') as created,
        count_if(operation = 'update') as updated,
        count_if(operation = 'delete') as deleted,
        max(received_at) as last_at
    from changes
    group by changed_by, entity_type, entity_id
),

per_author as (
    select
        changed_by,
        entity_type,
        sum(changes) as changes,
        sum(created) as created,
        sum(updated) as updated,
        sum(deleted) as deleted,
        count(entity_id) as entities,
        max(last_at) as last_at
    from per_entity
    group by changed_by, entity_type
)

select *
from per_author
order by changes desc, changed_by, entity_type
limit :limit
