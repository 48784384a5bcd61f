-- wrk: GET of the path.
wrk.method = "GET"
