-- The index of parents with pending rows, made true again: a parent's score is when its oldest row
-- was accepted, and a parent without any is not in it.
--
-- KEYS: the index, then the pending rows of each parent. ARGV: ms, then the names of the parents.
-- Answers how many of them still have rows that were accepted by then.
local old = 0
for i = 2, #KEYS do
  local name = ARGV[i]
  local oldest = redis.call('ZRANGE', KEYS[i], 0, 0)[1]
  if not oldest then
    redis.call('ZREM', KEYS[1], name)
  else
    local accepted = string.match(oldest, '^%d+ (%d+) ')
    if accepted then
      redis.call('ZADD', KEYS[1], 'XX', accepted, name)
    end
    if tonumber(accepted or 0) <= tonumber(ARGV[1]) then
      old = old + 1
    end
  end
end
return old
