-- What numbering does in Redis, each call whole or not at all. EPOCH is set by the line before this
-- one, so a server that was restarted or replaced does not know the script and must be examined.
--
-- KEYS: fence, epoch in which numbers were given last, then those of the operation.
-- ARGV: operation, deadline (ms in this server's time), highest fence seen, then its arguments.
-- Answers {'ok', time, fence, ...}; with any other status nothing was done.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if now > tonumber(ARGV[2]) then
  return {'late', now}
end
local fence = tonumber(redis.call('GET', KEYS[1]) or 0)
if fence < tonumber(ARGV[3]) then
  return {'behind', now}
end
-- A later epoch: another server, or another time. None: it was emptied since it was trusted.
if tonumber(redis.call('GET', KEYS[2]) or 0) ~= EPOCH then
  return {'stale', now}
end

-- The block if it is of this epoch: next number, last number, number from which on it runs low.
local function read_block(key)
  local block = redis.call('HMGET', key, 'epoch', 'next', 'last', 'low')
  local epoch = tonumber(block[1] or 0)
  return epoch, tonumber(block[2] or 1), tonumber(block[3] or 0), tonumber(block[4] or 0)
end

local function write_block(key, next, last)
  local low = next + math.floor((last - next + 1) / 2)
  redis.call('HSET', key, 'epoch', EPOCH, 'next', next, 'last', last, 'low', low)
end

