-- name: versions
-- question: How does each version of the service do?
-- grain: one row per environment, service and version, last seen first
-- params:
--   from timestamp = now - 7d : first moment that counts
--   to timestamp = now : first moment that no longer counts

with requests_in_range as (
    select
        environment,
        service,
        service_version,
        received_at,
        status,
        duration_ms
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
),

per_version as (
    select
        environment,
        service,
        service_version,
        count(*) as requests,
        count_if(status >= 500) as failed,
        cast(count_if(status >= 500) as double) / count(*) as failed_share,
        approx_percentile(duration_ms, 0.5) as p50_ms,
        approx_percentile(duration_ms, 0.95) as p95_ms,
        min(received_at) as first_at,
        max(received_at) as last_at
    from requests_in_range
    group by environment, service, service_version
)

select *
from per_version
order by last_at desc, environment, service, service_version
