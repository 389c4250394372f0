-- Sends the requests of a file in turn, and prints what wrk saw as one line of JSON (Load in wrk.py).
-- A line of the file is method, path, one header and JSON body, separated by tabs; without a path the
-- request goes to the path of wrk's URL. Arguments: the file; requests a second, 0 for no limit; then, if each
-- request is to bear an application's key and an Idempotency-Key: the key, the beginning of the
-- Idempotency-Keys, and a prefix of the names of both headers.
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
  for line in io.lines(args[1]) do
    local method, path, header, body = line:match("^(%S+)\t(%S*)\t([^\t]*)\t(.*)$")
    local headers = body ~= "" and { ["Content-Type"] = "application/json" } or {}
    local name, value = header:match("^(%S+): (.*)$")
    if name then
      headers[name] = value
    end
    local parts = { method, path ~= "" and path or nil, headers, body ~= "" and body or nil }
    requests[#requests + 1] = key and parts or wrk.format(unpack(parts, 1, 4))
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
  next[3][prefix .. "Authorization"] = "Bearer " .. key
  next[3][prefix .. "Idempotency-Key"] = run .. turn
  return wrk.format(unpack(next, 1, 4))
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"seconds":%f,"refused":%d,"broken":%d,"p50_ms":%f,"p99_ms":%f}\n',
    summary.requests, summary.duration / 1e6, errors.status,
    errors.connect + errors.read + errors.write,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
