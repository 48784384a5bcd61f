-- name: latency
-- question: How long do requests take on each route?
-- grain: one row per route and method, slowest 95th percentile first
-- params:
--   from timestamp = now - 24h : first moment that counts
--   to timestamp = now : first moment that no longer counts

with requests_in_range as (
    select
        coalesce(route, '(unmatched)') as route,
        method,
        duration_ms
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
),

per_route as (
    select
        route,
        method,
        count(*) as requests,
        approx_percentile(duration_ms, 0.5) as p50_ms,
        approx_percentile(duration_ms, 0.95) as p95_ms,
        approx_percentile(duration_ms, 0.99) as p99_ms,
        max(duration_ms) as max_ms
    from requests_in_range
    group by route, method
)

select *
from per_route
order by p95_ms desc, route, method
