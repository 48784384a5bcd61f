-- name: idempotency
-- question: How many writes carry an idempotency key, and what became of the keys?
-- grain: one row per route and method of writes, most requests first
-- params:
--   from timestamp = now - 24h : first moment that counts
--   to timestamp = now : first moment that no longer counts

with writes as (
    select
        coalesce(route, '(unmatched)') as route,
        method,
        idempotency_outcome,
        idempotency_key
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
        and method in ('POST', 'PUT', 'PATCH', 'DELETE')
),

per_route as (
    select
        route,
        method,
        count(*) as requests,
        count(idempotency_key) as with_key,
        count_if(idempotency_outcome = 'first') as first_time,
        count_if(idempotency_outcome = 'replayed') as replayed,
        count_if(idempotency_outcome = 'in_flight') as in_flight,
        count_if(idempotency_outcome = 'mismatch') as mismatched,
        cast(count(idempotency_key) as double) / count(*) as keyed_share
    from writes
    group by route, method
)

select *
from per_route
order by requests desc, route, method
