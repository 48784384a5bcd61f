-- name: entity_reads
-- question: Who has read this entity?
-- grain: one row per reader, last read first
-- params:
--   entity_type string = 'task' : kind of the entity
--   entity_id string : id of the entity
--   from timestamp = 1970-01-01 : first moment that counts
--   to timestamp = now : first moment that no longer counts

with reads as (
    select
        tenant,
        coalesce(user_id, actor_id, api_key_id, client_ip, actor_type) as read_by,
        received_at,
        entity_version
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
        and entity_type = :entity_type
        and entity_id = :entity_id
        and operation = 'read'
        and status < 400
),

per_reader as (
    select
        tenant,
        read_by,
        count(*) as times_read,
        max(entity_version) as newest_version,
        min(received_at) as first_at,
        max(received_at) as last_at
    from reads
    group by tenant, read_by
)

select *
from per_reader
order by last_at desc, tenant, read_by
