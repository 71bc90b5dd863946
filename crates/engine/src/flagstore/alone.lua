-- Replaces one field of a hash if its bytes are the expected ones, and does nothing else: a kill switch, where history
-- or notice stand in the way. With one key, a slot that is being migrated answers too.
local hash, field = KEYS[1], ARGV[1]
local was_there, expected, value = ARGV[2] == '1', ARGV[3], ARGV[4]
local found = redis.call('HGET', hash, field)
if (found ~= false) ~= was_there or (was_there and found ~= expected) then
  return {0, found}
end
local done = redis.pcall('HSET', hash, field, value)
if type(done) == 'table' and done.err and string.find(done.err, 'OOM', 1, true) then
  -- Out of memory, Redis lets a script go on that has begun to write, and taking away is always allowed.
  redis.call('HDEL', hash, field)
  done = redis.pcall('HSET', hash, field, value)
end
if type(done) == 'table' and done.err then
  return done
end
return {1, 0}
