-- name: task_transitions
-- question: Between which statuses do tasks move, and after how long?
-- grain: one row per pair of statuses, most frequent first ((none): before a task is made)
-- params:
--   from timestamp = now - 30d : first moment that counts
--   to timestamp = now : first moment that no longer counts

with changes as (
    select
        tenant,
        entity_id,
        entity_version,
        received_at,
        case
            when operation = 'delete' then 'deleted'
            else coalesce(json_extract_scalar(state_after, '$.status'), '(unknown)')
        end as status,
        event_id
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
        and event_type in ('task.created', 'task.updated', 'task.deleted')
),

compared as (
    select
        tenant,
        entity_id,
        entity_version,
        received_at,
        event_id,
        status,
        lag(status) over (partition by tenant, entity_id order by entity_version, event_id) as previous_status
    from changes
),

status_changes as (
    select
        coalesce(previous_status, '(none)') as from_status,
        status as to_status,
        received_at,
        entity_version,
        lag(received_at) over (partition by tenant, entity_id order by entity_version, event_id) as since
    from compared
    where previous_status is null
        or previous_status <> status
),

per_transition as (
    select
        from_status,
        to_status,
        count(*) as transitions,
        approx_percentile(date_diff('second', since, received_at), 0.5) as p50_seconds,
        approx_percentile(date_diff('second', since, received_at), 0.95) as p95_seconds,
        max(received_at) as last_at
    from status_changes
    where since is not null
        or entity_version = 1
    group by from_status, to_status
)

select *
from per_transition
order by transitions desc, from_status, to_status
