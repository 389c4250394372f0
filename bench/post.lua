-- Sends the requests of a file (one JSON document a line) in turn, and reports as report.lua does.
-- With an application's key as second argument each bears it, and an Idempotency-Key of its own, which
-- begins with the third; the fourth is put before the names of both headers.
require("report")

local requests = {}
local turn = 0
local key, run, prefix

function init(args)
  key, run, prefix = args[2], args[3], args[4] or ""
  for document in io.lines(args[1]) do
    local headers = { ["Content-Type"] = "application/json" }
    requests[#requests + 1] = key and document or wrk.format("POST", nil, headers, document)
  end
end

function request()
  turn = turn + 1
  local next = requests[turn % #requests + 1]
  if not key then
    return next
  end
  local headers = {
    ["Content-Type"] = "application/json",
    [prefix .. "Authorization"] = "Bearer " .. key,
    [prefix .. "Idempotency-Key"] = run .. turn,
  }
  return wrk.format("POST", nil, headers, next)
end
