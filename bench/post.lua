-- Sends the requests of a file (one JSON document a line) in turn, and reports as report.lua does.
-- Arguments: the file; requests a second, 0 for as many as are answered; then an application's key,
-- which each bears, the beginning of their Idempotency-Keys, and what is put before the names of both
-- headers.
require("report")
local ffi = require("ffi")
ffi.cdef("typedef struct { long seconds, nanoseconds; } moment; int clock_gettime(int, moment *);")
local clock = ffi.new("moment")
local MONOTONIC = 1

local requests = {}
local turn = 0
local key, run, prefix

local function now_ms()
  ffi.C.clock_gettime(MONOTONIC, clock)
  return tonumber(clock.seconds) * 1e3 + tonumber(clock.nanoseconds) / 1e6
end

-- Each request gets the next moment of an even pace, whichever connection is free then.
local function keep_pace(rate)
  local next_ms = now_ms()
  function delay()
    local now = now_ms()
    next_ms = math.max(next_ms + 1e3 / rate, now)
    return math.floor(next_ms - now + 0.5)
  end
end

function init(args)
  local rate = tonumber(args[2])
  key, run, prefix = args[3], args[4], args[5]
  for document in io.lines(args[1]) do
    local headers = { ["Content-Type"] = "application/json" }
    requests[#requests + 1] = key and document or wrk.format("POST", nil, headers, document)
  end
  if rate > 0 then
    keep_pace(rate)
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
