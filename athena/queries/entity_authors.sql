-- name: entity_authors
-- question: Who changed this entity, how often, and when last?
-- grain: one row per person or key that changed it, last change first
-- params:
--   entity_type string = 'task' : kind of the entity
--   entity_id string : id of the entity
--   from timestamp = 1970-01-01 : first moment that counts
--   to timestamp = now : first moment that no longer counts

with changes as (
    select
        tenant,
        coalesce(user_id, actor_id, api_key_id, actor_type) as changed_by,
        received_at,
        entity_version,
        operation,
        client_ip,
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
),

per_author as (
    select
        tenant,
        changed_by,
        count(*) as changes,
        count(distinct client_ip) as addresses,
        min(entity_version) as first_version,
        max(entity_version) as last_version,
        min(received_at) as first_at,
        max(received_at) as last_at,
        max_by(operation, row(entity_version, event_id)) as last_operation
    from changes
    group by tenant, changed_by
)

select *
from per_author
order by last_version desc, tenant, changed_by
