-- Sends the requests of a file in turn (method, path and JSON body, separated by tabs, one a line),
-- and reports as report.lua does. With a tag as second argument its GETs bear If-None-Match.
require("report")

local requests = {}
local turn = 0

function init(args)
  local json = { ["Content-Type"] = "application/json" }
  local known = { ["If-None-Match"] = args[2] }
  for line in io.lines(args[1]) do
    local method, path, body = line:match("^(%S+)\t(%S+)\t(.*)$")
    local has_body = body ~= ""
    requests[#requests + 1] =
      wrk.format(method, path, has_body and json or known, has_body and body or nil)
  end
end

function request()
  turn = turn + 1
  return requests[turn % #requests + 1]
end
