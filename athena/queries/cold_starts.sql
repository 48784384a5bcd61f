-- name: cold_starts
-- question: How often does a request wait for a new process, and what does it cost?
-- grain: one row per service, version and region, most cold starts first
-- params:
--   from timestamp = now - 24h : first moment that counts
--   to timestamp = now : first moment that no longer counts

with invocations as (
    select
        service,
        service_version,
        coalesce(region, '(none)') as region,
        cold_start,
        duration_ms
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
        and cold_start is not null
),

per_version as (
    select
        service,
        service_version,
        region,
        count(*) as requests,
        count_if(cold_start) as cold,
        cast(count_if(cold_start) as double) / count(*) as cold_share,
        approx_percentile(duration_ms, 0.5) filter (where cold_start) as cold_p50_ms,
        approx_percentile(duration_ms, 0.5) filter (where not cold_start) as warm_p50_ms
    from invocations
    group by service, service_version, region
)

select *
from per_version
order by cold desc, service, service_version, region
