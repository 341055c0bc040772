-- A tools/call, over and over. The file TOKENS has a bearer token in each line, shown in turn from number FIRST on; none for
-- a peer without authorization.
wrk.method = "POST"
wrk.body = os.getenv("CALL")
wrk.headers["Host"] = os.getenv("HOST")
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Accept"] = "application/json, text/event-stream"
wrk.headers["MCP-Protocol-Version"] = "2025-11-25"

local heads = {}
if os.getenv("TOKENS") ~= "" then
  for token in io.lines(os.getenv("TOKENS")) do heads[#heads + 1] = "Bearer " .. token end
end
wrk.headers["Authorization"] = heads[1]

-- wrk builds each request anew only if this function is there when it loads the script.
if #heads > 1 then
  local next = tonumber(os.getenv("FIRST"))
  function request()
    -- Past the end no token is new, and an answer that isn't the wanted one spoils the round.
    wrk.headers["Authorization"] = heads[next] or "Bearer none-left"
    next = next + 1
    return wrk.format()
  end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format("RESULT %d %d %d %d %d %d\n", summary.requests, summary.duration,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
