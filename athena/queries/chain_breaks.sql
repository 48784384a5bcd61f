-- name: chain_breaks
-- question: Is any entity's history broken: a version missing or twice, a change that does not follow its hash?
-- grain: one row per broken link, none if every history is whole
-- params:
--   from timestamp = now - 30d : first moment that counts
--   to timestamp = now : first moment that no longer counts
--   limit limit = 100 : how many rows at most

with changes as (
    select
        tenant,
        entity_type,
        entity_id,
        entity_version,
        received_at,
        event_hash,
        prev_event_hash,
        event_id
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
        and entity_type <> 'data'
        and entity_version is not null
        and operation in ('create', 'update', 'delete')
        and event_type not like 'request.%'
),

linked as (
    select
        tenant,
        entity_type,
        entity_id,
        entity_version,
        received_at,
        event_id,
        prev_event_hash,
        lag(entity_version) over (
            partition by tenant, entity_type, entity_id order by entity_version, event_id
        ) as previous_version,
        lag(event_hash) over (
            partition by tenant, entity_type, entity_id order by entity_version, event_id
        ) as previous_hash
    from changes
),

judged as (
    select
        tenant,
        entity_type,
        entity_id,
        entity_version,
        previous_version,
        received_at,
        event_id,
        case
            when previous_version = entity_version then 'the version stands twice'
            when entity_version > previous_version + 1 then 'a version is missing'
            when previous_hash <> coalesce(prev_event_hash, '') then 'the hash is another'
            when entity_version = 1 and prev_event_hash is not null then 'the first change follows on another'
        end as problem
    from linked
),

broken as (
    select *
    from judged
    where problem is not null
)

select *
from broken
order by tenant, entity_type, entity_id, entity_version, event_id
limit :limit
