-- name: replays
-- question: Which idempotency keys were sent again, and how often?
-- grain: one row per tenant and key that was used again, most replays first
-- params:
--   from timestamp = now - 24h : first moment that counts
--   to timestamp = now : first moment that no longer counts
--   limit limit = 50 : how many rows at most

with keyed_requests as (
    select
        tenant,
        idempotency_key,
        idempotency_outcome,
        received_at,
        coalesce(route, '(unmatched)') as route,
        coalesce(user_id, api_key_id, client_ip, '(unknown)') as actor,
        event_id
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
        and idempotency_key is not null
),

used_again as (
    select distinct
        tenant,
        idempotency_key
    from keyed_requests
    where idempotency_outcome <> 'first'
),

repeated_requests as (
    select
        keyed_requests.tenant,
        keyed_requests.idempotency_key,
        keyed_requests.idempotency_outcome,
        keyed_requests.received_at,
        keyed_requests.route,
        keyed_requests.actor,
        keyed_requests.event_id
    from keyed_requests
    inner join used_again
        on keyed_requests.tenant = used_again.tenant
            and keyed_requests.idempotency_key = used_again.idempotency_key
),

per_key as (
    select
        tenant,
        idempotency_key,
        count_if(idempotency_outcome = 'replayed') as replayed,
        count_if(idempotency_outcome = 'mismatch') as mismatched,
        count_if(idempotency_outcome = 'in_flight') as in_flight,
        count(distinct actor) as actors,
        max_by(route, row(received_at, event_id)) as last_route,
        min(received_at) as first_at,
        max(received_at) as last_at
    from repeated_requests
    group by tenant, idempotency_key
)

select *
from per_key
order by replayed desc, mismatched desc, tenant, idempotency_key
limit :limit
