-- Each command by which rows are numbered and stored, on keys that expire within a minute.
--
-- KEYS: a counter, a hash, a sorted set, a set.
redis.call('SET', KEYS[1], 1, 'EX', 60)
redis.call('INCR', KEYS[1])
redis.call('HSET', KEYS[2], 'next', 1)
redis.call('HMGET', KEYS[2], 'next')
redis.call('ZADD', KEYS[3], 1, 'row')
redis.call('ZRANGEBYSCORE', KEYS[3], 1, 1)
redis.call('ZREMRANGEBYSCORE', KEYS[3], 1, 1)
redis.call('SADD', KEYS[4], 'parent')
for i = 2, #KEYS do
  redis.call('EXPIRE', KEYS[i], 60)
end
