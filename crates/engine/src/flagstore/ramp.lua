-- Lock and state of the ramp of one flag: `lock:NAME` is "epoch renewed-at-in-ms is-free holder", `state:NAME` is
-- "version JSON". The server's clock says whether a holder still lives, so nobody's own clock is trusted.
local hash, op, name = KEYS[1], ARGV[1], ARGV[2]
if op == 'save' then
  local field, expected, json = 'state:' .. name, tonumber(ARGV[3]), ARGV[4]
  local state = redis.call('HGET', hash, field)
  local version = state and tonumber(string.match(state, '^%d+')) or 0
  if version ~= expected then
    return {0, ''}
  end
  redis.call('HSET', hash, field, string.format('%.0f ', version + 1) .. json)
  return {1, version + 1}
end
local field = 'lock:' .. name
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local lock = redis.call('HGET', hash, field) or ''
local epoch, renewed, free, holder = string.match(lock, '^(%d+) (%d+) (%d) (.*)$')
epoch, renewed = tonumber(epoch or '0'), tonumber(renewed or '0')
local function put(number, is_free, by)
  redis.call('HSET', hash, field, string.format('%.0f %.0f %s %s', number, now, is_free, by))
  return {1, number}
end
if op == 'take' then
  local by, takeover, lease = ARGV[3], ARGV[4] == '1', tonumber(ARGV[5])
  if free == '0' and holder ~= by and not takeover and now - renewed < lease then
    return {0, lock}
  end
  return put(epoch + 1, '0', by)
end
-- renew, release
if epoch ~= tonumber(ARGV[3]) then
  return {0, lock}
end
return put(epoch, op == 'release' and '1' or '0', holder)
