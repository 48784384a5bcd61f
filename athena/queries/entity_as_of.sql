-- name: entity_as_of
-- question: What was the state of this entity at a given time?
-- grain: one row if the entity existed by then, none if not (is_deleted: removed by then, or its end had come)
-- params:
--   entity_type string = 'task' : kind of the entity
--   entity_id string : id of the entity
--   as_of timestamp = now : last moment that counts
--   from timestamp = 1970-01-01 : first moment that counts

with changes as (
    select
        tenant,
        entity_type,
        entity_id,
        entity_version,
        received_at,
        operation,
        state_after,
        state_hash,
        event_id,
        row(entity_version, event_id) as place
    from requests
    where received_at >= :from
        and received_at <= :as_of
        and (:tenant is null or tenant = :tenant)
        and entity_type = :entity_type
        and entity_id = :entity_id
        and entity_version is not null
        and operation in ('create', 'update', 'delete')
        and event_type not like 'request.%'
),

latest_change as (
    select
        tenant,
        entity_type,
        entity_id,
        max(entity_version) as entity_version,
        min_by(received_at, place) as first_seen_at,
        max_by(received_at, place) as changed_at,
        max_by(operation, place) as operation,
        max_by(state_after, place) as state,
        max_by(state_hash, place) as state_hash,
        max_by(event_id, place) as event_id
    from changes
    group by tenant, entity_type, entity_id
),

with_end as (
    select
        *,
        try_cast(json_extract_scalar(state, '$.expires_at') as bigint) as expires_s
    from latest_change
),

judged as (
    select
        tenant,
        entity_type,
        entity_id,
        entity_version,
        first_seen_at,
        changed_at,
        operation = 'delete'
        or coalesce(expires_s <= date_diff('second', timestamp '1970-01-01 00:00:00', :as_of), false) as is_deleted,
        state,
        state_hash,
        event_id
    from with_end
)

select *
from judged
order by tenant
