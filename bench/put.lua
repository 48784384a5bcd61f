-- wrk: PUT /tasks/{id}, one task after the other; their ids stand in the file that TASKS names.
local paths, last = {}, 0
for id in io.lines(os.getenv("TASKS")) do paths[#paths + 1] = "/tasks/" .. id end
local bodies = { '{"status":"in_progress"}', '{"status":"completed","priority":"low"}' }
wrk.headers["content-type"] = "application/json"

function request()
    last = last + 1
    return wrk.format("PUT", paths[last % #paths + 1], nil, bodies[math.floor(last / #paths) % 2 + 1])
end
