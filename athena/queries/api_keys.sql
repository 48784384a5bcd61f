-- name: api_keys
-- question: Which API keys are used, how much, and from how many addresses?
-- grain: one row per tenant and API key, most requests first
-- params:
--   from timestamp = now - 7d : first moment that counts
--   to timestamp = now : first moment that no longer counts
--   limit limit = 100 : how many rows at most

with keyed_requests as (
    select
        tenant,
        api_key_id,
        received_at,
        status,
        client_ip,
        date_trunc('day', received_at) as day_start
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
        and api_key_id is not null
),

per_key as (
    select
        tenant,
        api_key_id,
        count(*) as requests,
        count_if(status >= 400) as refused,
        count(distinct client_ip) as addresses,
        count(distinct day_start) as days,
        min(received_at) as first_at,
        max(received_at) as last_at
    from keyed_requests
    group by tenant, api_key_id
)

select *
from per_key
order by requests desc, tenant, api_key_id
limit :limit
