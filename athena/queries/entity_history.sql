-- name: entity_history
-- question: What happened to this entity, change by change, and who did it?
-- grain: one row per change of the entity, in the order of its versions
-- params:
--   entity_type string = 'task' : kind of the entity
--   entity_id string : id of the entity
--   from timestamp = 1970-01-01 : first moment that counts
--   to timestamp = now : first moment that no longer counts

with changes as (
    select
        tenant,
        entity_version,
        received_at,
        event_type,
        operation,
        coalesce(user_id, actor_id, api_key_id, actor_type) as changed_by,
        status,
        event_data,
        state_after,
        state_hash,
        request_id,
        event_id
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
        and entity_type = :entity_type
        and entity_id = :entity_id
        and entity_version is not null
        and operation in ('create', 'update', 'delete')
        and event_type not like 'request.%'
)

select *
from changes
order by tenant, entity_version, event_id
