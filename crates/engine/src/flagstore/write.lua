-- Replaces one field of a hash if its bytes are the expected ones, with the history and the notice in the same call.
-- Values are compared and stored as they are, never decoded: re-encoding JSON here would lose `[]`, order and digits.
-- A script is not rolled back, so the history comes first and is taken back when the flag cannot be written.
local hash, history = KEYS[1], KEYS[2]
local field, was_there, expected = ARGV[1], ARGV[2] == '1', ARGV[3]
local is_kept, value = ARGV[4] == '1', ARGV[5]
local channel, at_most, epoch = ARGV[6], ARGV[7], ARGV[8]
if epoch ~= '' then
  -- A step of a ramp: whoever has taken the ramp over has counted the epoch of its lock up.
  local lock = redis.call('HGET', KEYS[3], 'lock:' .. field)
  if not lock or string.match(lock, '^%d+') ~= epoch then
    return {2}
  end
end
local found = redis.call('HGET', hash, field)
if (found ~= false) ~= was_there or (was_there and found ~= expected) then
  return {0, found}
end
local id = redis.call('XADD', history, 'MAXLEN', '~', at_most, '*', unpack(ARGV, 9))
local done
if is_kept then
  done = redis.pcall('HSET', hash, field, value)
else
  done = redis.pcall('HDEL', hash, field)
end
if type(done) == 'table' and done.err then
  redis.pcall('XDEL', history, id)
  return done
end
local told = redis.pcall('PUBLISH', channel, field)
if type(told) == 'table' then
  return {1, 0}
end
return {1, 1}
