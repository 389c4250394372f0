#!lua flags=allow-oom
-- Rows of one kind are stored: the counts they change are flagged, then they are pending no more,
-- both or neither. It frees more than it takes, so it runs even when memory is full.
--
-- KEYS: the index of parents with pending rows; the kind's progress; the sets of flags; the pending
-- rows of each parent.
-- ARGV[1], as JSON: `flags`, the names to add to each set; `parents`, for each its name and its runs
-- of numbers, first and last, as text; `accepted`, when the newest row was accepted (ms) if it is not
-- pending here, false if no progress is to be noted; `seconds` that progress is remembered.
local batch = cjson.decode(ARGV[1])

for i, names in ipairs(batch.flags) do
  redis.call('SADD', KEYS[2 + i], unpack(names))
end

-- When the last row of a run was accepted, by this server's clock.
local function accepted(key, run)
  local member = redis.call('ZREVRANGEBYSCORE', key, run[2], run[1], 'LIMIT', 0, 1)[1]
  return member and tonumber(string.match(member, '^%d+ (%d+) ')) or 0
end

local newest = 0
for i, parent in ipairs(batch.parents) do
  local key = KEYS[2 + #batch.flags + i]
  for _, run in ipairs(parent.runs) do
    newest = math.max(newest, accepted(key, run))
    redis.call('ZREMRANGEBYSCORE', key, run[1], run[2])
  end
  if redis.call('EXISTS', key) == 0 then
    redis.call('ZREM', KEYS[1], parent.name)
  end
end

if batch.accepted then
  local progress = newest > 0 and newest or batch.accepted
  redis.call('SET', KEYS[2], string.format('%d', progress), 'EX', batch.seconds)
end
