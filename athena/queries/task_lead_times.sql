-- name: task_lead_times
-- question: How long does it take from making a task to completing it?
-- grain: one row per priority, most completed tasks first
-- params:
--   from timestamp = now - 30d : first moment that counts
--   to timestamp = now : first moment that no longer counts

with completions as (
    select
        tenant,
        entity_id,
        received_at,
        row(entity_version, event_id) as place,
        coalesce(json_extract_scalar(state_after, '$.priority'), '(unknown)') as priority,
        try_cast(json_extract_scalar(state_after, '$.created_at') as bigint) as created_s
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
        and event_type in ('task.created', 'task.updated')
        and entity_version is not null
        and json_extract_scalar(event_data, '$.status') = 'completed'
),

first_completions as (
    select
        tenant,
        entity_id,
        min_by(priority, place) as priority,
        min_by(
            date_diff('second', timestamp '1970-01-01 00:00:00', received_at) - created_s, place
        ) as lead_seconds
    from completions
    group by tenant, entity_id
),

per_priority as (
    select
        priority,
        count(*) as completed,
        approx_percentile(lead_seconds, 0.5) as p50_seconds,
        approx_percentile(lead_seconds, 0.95) as p95_seconds,
        max(lead_seconds) as longest_seconds
    from first_completions
    group by priority
)

select *
from per_priority
order by completed desc, priority
