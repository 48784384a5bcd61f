-- wrk: POST /data with a body of 120 bytes.
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.body = '{"user_id":"user-1234","message":"New record submission, as small as most of them are, for the benchmark.", "n": 12345}'
