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
if tonumber(redis.call('GET', KEYS[2]) or 0) > EPOCH then
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

-- KEYS[3]: parents with pending rows; then block and pending rows of each parent.
-- ARGV for each parent: name, count, prefix of the blocks of new children or '', length of their
-- first lease, payloads. Answers for each parent {first number, runs low?}; the number is 0 where
-- the block is unknown or too short.
local function accept()
  local answers = {}
  local at = 4
  fence = redis.call('INCR', KEYS[1])
  for i = 4, #KEYS, 2 do
    local name, count, prefix, length = ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2], tonumber(ARGV[at + 3])
    local epoch, next, last, low = read_block(KEYS[i])
    if epoch < EPOCH or last - next + 1 < count then
      answers[#answers + 1] = {0, 0}
    else
      local members = {}
      for n = 0, count - 1 do
        members[2 * n + 1] = next + n
        members[2 * n + 2] = string.format('%d %d %s', next + n, now, ARGV[at + 4 + n])
        if prefix ~= '' then
          write_block(prefix .. string.format('%d', next + n), 1, length)
        end
      end
      redis.call('ZADD', KEYS[i + 1], unpack(members))
      redis.call('ZADD', KEYS[3], 'NX', now, name)
      redis.call('HSET', KEYS[i], 'next', next + count)
      answers[#answers + 1] = {next, next + count > low and 1 or 0}
    end
    at = at + 4 + count
  end
  return {'ok', now, fence, answers}
end

-- KEYS[3]: block. ARGV: a number that no number given so far is above. An unknown block is
-- opened empty above it; a known one stays. Answers its next and last number.
local function open()
  local epoch, next, last = read_block(KEYS[3])
  if epoch < EPOCH then
    last = math.max(last, tonumber(ARGV[4]))
    next = last + 1
    write_block(KEYS[3], next, last)
  end
  return {'ok', now, fence, next, last}
end

-- KEYS[3]: block. ARGV: last number as the lender saw it, first and last of the lease. A rival
-- that installed a lease in between has changed the last number, and then nothing is done.
local function install()
  local epoch, next, last = read_block(KEYS[3])
  local first = tonumber(ARGV[5])
  if epoch == EPOCH and last == tonumber(ARGV[4]) then
    write_block(KEYS[3], first == last + 1 and next or first, tonumber(ARGV[6]))
  end
  return {'ok', now, fence}
end

local operations = {accept = accept, open = open, install = install}
return operations[ARGV[1]]()
