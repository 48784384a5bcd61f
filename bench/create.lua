-- wrk: POST of a user or an asset that nobody has made before, as the path says.
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
local run, last = os.time() .. "-" .. math.random(1, 1000000), 0

function request()
    last = last + 1
    local name = run .. "-" .. last
    if wrk.path == "/users" then
        return wrk.format(nil, nil, nil, '{"userId":"' .. name .. '","email":"' .. name .. '@example.org","name":"Ann Lee"}')
    end
    return wrk.format(nil, nil, nil, '{"assetId":"' .. name .. '","fileName":"report.pdf","contentType":"application/pdf","contentLength":52000}')
end
