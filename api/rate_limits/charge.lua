-- Counts the requests of several clients, each up to what its limit admits.
--
-- KEYS: for each client its debt, "DEBT TIME", with the time in microseconds.
-- ARGV: the limit, which a microsecond pays off; the debt of one request; then for each client its
-- number of requests.
-- Returns each client's debt before these requests.

-- Neither on disk nor on replicas: losing the debts costs one burst, which is less than an fsync.
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
