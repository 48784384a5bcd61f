-- name: task_status
-- question: How many tasks stand at each status and priority?
-- grain: one row per status and priority of tasks that are there, most tasks first
-- params:
--   from timestamp = 1970-01-01 : first moment that counts
--   to timestamp = now : first moment that no longer counts

with changes as (
    select
        tenant,
        entity_id,
        received_at,
        operation,
        state_after,
        row(entity_version, event_id) as place
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
        and event_type in ('task.created', 'task.updated', 'task.deleted')
        and entity_version is not null
),

latest as (
    select
        tenant,
        entity_id,
        max(received_at) as changed_at,
        max_by(operation, place) as operation,
        max_by(state_after, place) as state
    from changes
    group by tenant, entity_id
),

there as (
    select
        coalesce(json_extract_scalar(state, '$.status'), '(unknown)') as status,
        coalesce(json_extract_scalar(state, '$.priority'), '(unknown)') as priority,
        changed_at
    from latest
    where operation <> 'delete'
),

per_status as (
    select
        status,
        priority,
        count(*) as tasks,
        min(changed_at) as longest_untouched_since,
        max(changed_at) as last_changed_at
    from there
    group by status, priority
)

select *
from per_status
order by tasks desc, status, priority
