-- name: masked_secrets
-- question: Where do clients send secrets that had to be masked?
-- grain: one row per route and method with masked secrets, most requests first
-- params:
--   from timestamp = now - 24h : first moment that counts
--   to timestamp = now : first moment that no longer counts

with requests_in_range as (
    select
        received_at,
        coalesce(route, '(unmatched)') as route,
        method,
        coalesce(user_id, api_key_id, client_ip, '(unknown)') as actor,
        coalesce(strpos(request_body, '[redacted:'), 0) as in_body,
        coalesce(strpos(query_string, '[redacted:'), 0) as in_query,
        strpos(path, '[redacted:') as in_path,
        substr(request_body, strpos(request_body, '[redacted:'), 19) as body_mask
    from requests
    where received_at >= :from
        and received_at < :to
        and (:tenant is null or tenant = :tenant)
),

masked as (
    select *
    from requests_in_range
    where in_body + in_query + in_path > 0
),

per_route as (
    select
        route,
        method,
        count(*) as requests,
        count_if(in_body > 0) as in_body,
        count_if(in_query > 0) as in_query,
        count_if(in_path > 0) as in_path,
        count(distinct case when in_body > 0 then body_mask end) as first_secrets_of_bodies,
        count(distinct actor) as actors,
        max(received_at) as last_at
    from masked
    group by route, method
)

select *
from per_route
order by requests desc, route, method
