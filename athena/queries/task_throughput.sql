-- name: task_throughput
-- question: How many tasks are made and finished each day?
-- grain: one row per day that had changes of tasks, oldest first
-- params:
--   from timestamp = now - 30d : first moment that counts
--   to timestamp = now : first moment that no longer counts

with changes as (
    select
        date_trunc('day', received_at) as day_start,
        event_type,
        tenant,
        entity_id,
        json_extract_scalar(event_data, '$.status') as new_status
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
        and event_type in ('task.created', 'task.updated', 'task.deleted')
),

per_day as (
    select
        day_start,
        count(*) as changes,
        count_if(event_type = 'task.created') as created,
        count_if(new_status = 'completed') as completed,
        count_if(new_status = 'cancelled') as cancelled,
        count_if(event_type = 'task.deleted') as deleted,
        count(distinct entity_id) as tasks_touched
    from changes
    group by day_start
)

select *
from per_day
order by day_start
