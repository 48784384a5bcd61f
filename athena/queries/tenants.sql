-- name: tenants
-- question: How much does each tenant use the API?
-- grain: one row per tenant, most requests first
-- params:
--   from timestamp = now - 7d : first moment that counts
--   to timestamp = now : first moment that no longer counts

with requests_in_range as (
    select
        tenant,
        received_at,
        user_id,
        event_type,
        status,
        request_bytes,
        response_bytes
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
),

per_tenant as (
    select
        tenant,
        count(*) as requests,
        count(distinct user_id) as users,
        count_if(event_type not like 'request.%' and event_type not like 'gateway.%') as changes,
        count_if(status between 400 and 499) as refused,
        count_if(status >= 500) as failed,
        sum(request_bytes) as request_bytes,
        sum(coalesce(response_bytes, 0)) as response_bytes,
        max(received_at) as last_at
    from requests_in_range
    group by tenant
)

select *
from per_tenant
order by requests desc, tenant
