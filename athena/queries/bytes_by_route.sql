-- name: bytes_by_route
-- question: Which routes move the most bytes?
-- grain: one row per route and method, most bytes first
-- params:
--   from timestamp = now - 24h : first moment that counts
--   to timestamp = now : first moment that no longer counts

with requests_in_range as (
    select
        coalesce(route, '(unmatched)') as route,
        method,
        request_bytes,
        coalesce(response_bytes, 0) as response_bytes,
        request_body_encoding
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
        sum(request_bytes) as request_bytes,
        sum(response_bytes) as response_bytes,
        max(request_bytes) as largest_request,
        max(response_bytes) as largest_response,
        count_if(request_body_encoding = 'ref') as bodies_set_aside
    from requests_in_range
    group by route, method
)

select *
from per_route
order by request_bytes + response_bytes desc, route, method
