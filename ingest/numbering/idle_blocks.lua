-- KEYS[3] and on: blocks. ARGV[4] and on, for each: its next and last number as they were seen. A block
-- that is still so ends before its next number. It raises the fence: a server that lacks this has lost
-- data. Answers for each whether it was ended.
local function end_early()
  local ended = {}
  fence = redis.call('INCR', KEYS[1])
  for i = 3, #KEYS do
    local epoch, next, last = read_block(KEYS[i])
    local seen = 2 * i - 2
    local is_same = epoch == EPOCH and next == tonumber(ARGV[seen]) and last == tonumber(ARGV[seen + 1])
    if is_same then
      write_block(KEYS[i], next, next - 1)
    end
    ended[#ended + 1] = is_same and 1 or 0
  end
  return {'ok', now, fence, ended}
end

-- KEYS[3] and on: blocks. ARGV[4] and on, for each: its next number. Those that end before it are
-- removed.
local function forget()
  for i = 3, #KEYS do
    local epoch, next, last = read_block(KEYS[i])
    if epoch == EPOCH and next == tonumber(ARGV[i + 1]) and last == next - 1 then
      redis.call('DEL', KEYS[i])
    end
  end
  return {'ok', now, fence}
end

local operations = {end_early = end_early, forget = forget}
return operations[ARGV[1]]()
