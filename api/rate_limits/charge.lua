-- Requests are counted, as many as their names may still send.
--
-- KEYS: for each name what it owes, "DEBT TIME", time in microseconds.
-- ARGV: what a microsecond pays off, which is also how many requests may be owed; what one request
-- costs; then for each name how many requests it sends.
-- Answers for each name what it owed before.

-- Neither on disk nor on replicas: it is worth no fsync, and lost it costs one burst.
redis.set_repl(redis.REPL_NONE)

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local limit, cost = tonumber(ARGV[1]), tonumber(ARGV[2])

local function owed(entry)
  local debt, since = string.match(entry or '', '^(%d+) (%d+)$')
  return math.max(0, (debt or 0) - math.max(0, now - (since or now)) * limit)
end

local answers = {}
for i, key in ipairs(KEYS) do
  local before = owed(redis.call('GET', key))
  local admitted = math.min(tonumber(ARGV[2 + i]), math.floor((limit * cost - before) / cost))
  local debt = before + admitted * cost
  local milliseconds = math.ceil(debt / limit / 1000)
  redis.call('SET', key, string.format('%d %d', debt, now), 'PX', string.format('%d', milliseconds))
  answers[i] = before
end
return answers
