-- KEYS[3]: parents with pending rows; then block and pending rows of each parent.
-- ARGV: seconds that keys of requests are remembered; for each parent its name, the prefix of the
-- blocks of new children or '', the length of their first lease and the number of requests; for each
-- request its key or '', what is remembered of it behind its first number, the number of its rows,
-- their payloads.
-- Answers for each parent {runs low?, one for each request}: its first number; 0 where the block is
-- unknown or too short for it and those behind it; of a repeat {what is remembered, rows that pend}.
local function accept()
  local answers = {}
  local seconds, at = ARGV[4], 5
  fence = redis.call('INCR', KEYS[1])
  for i = 4, #KEYS, 2 do
    local name, prefix, length = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
    local requests = tonumber(ARGV[at + 3])
    local epoch, next, last, low = read_block(KEYS[i])
    local is_short = epoch < EPOCH
    local first, members, numbers = next, {}, {}
    at = at + 4
    for r = 1, requests do
      local key, record, count = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
      local known = key ~= '' and redis.call('GET', key)
      is_short = is_short or not known and last - next + 1 < count
      if known then
        local number = tonumber(string.match(known, '^%d+'))
        local pending = redis.call('ZRANGEBYSCORE', KEYS[i + 1], number, number + count - 1)
        numbers[r] = {known, pending}
      elseif is_short then
        numbers[r] = 0
      else
        if key ~= '' then
          redis.call('SET', key, string.format('%d %s', next, record), 'EX', seconds)
        end
        for n = 0, count - 1 do
          members[#members + 1] = next + n
          members[#members + 1] = string.format('%d %d %s', next + n, now, ARGV[at + 3 + n])
          if prefix ~= '' then
            write_block(prefix .. string.format('%d', next + n), 1, length)
          end
        end
        numbers[r] = next
        next = next + count
      end
      at = at + 3 + count
    end
    if next > first then
      redis.call('ZADD', KEYS[i + 1], unpack(members))
      redis.call('ZADD', KEYS[3], 'NX', now, name)
      redis.call('HSET', KEYS[i], 'next', next)
    end
    answers[#answers + 1] = {next > first and next > low and 1 or 0, numbers}
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
