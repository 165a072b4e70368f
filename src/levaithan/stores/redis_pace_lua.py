"""The Lua scripts of the pace over machines: sliding windows, which are sorted sets of event ids by time, and what each
machine used in the last minute. By the server's own clock (TIME), as all of redis_lua.
"""

from __future__ import annotations

NOW = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local function whole(n) return string.format('%.0f', n) end
"""

ADMIT = (
    NOW
    + """
local id, width, looked_at = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
for i, key in ipairs(KEYS) do
  redis.call('ZREMRANGEBYSCORE', key, '-inf', whole(now - width))
  redis.call('ZREMRANGEBYSCORE', key, whole(now + 1000000), '+inf')
  local limit, seen = tonumber(ARGV[3 + i]), redis.call('ZCARD', key)
  if seen >= limit and not redis.call('ZSCORE', key, id) then
    local first = redis.call('ZRANGE', key, seen - limit, seen - limit, 'WITHSCORES')
    return {i, seen, math.max(1, math.ceil((first[2] + width - now) / 1000000))}
  end
end
for i = looked_at + 1, #KEYS do
  redis.call('ZADD', KEYS[i], 'NX', whole(now), id)
  redis.call('PEXPIRE', KEYS[i], whole(width / 1000 + 1000))
end
return {0, 0, 0}
"""
)
"""KEYS: windows. ARGV: event id, width in us, how many of the first are only looked at, a limit for each. -> {0} when
it is counted in all the others, else {which one is full, how many are in it, seconds until there is room}; then it is
counted in none."""

POOL = (
    NOW
    + """
local width, found = tonumber(ARGV[2]), {}
local own = cjson.decode(ARGV[3])
for _, one in ipairs(own) do one[1] = whole(now - one[1] * 1000000) end
if #own > 0 then redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(own)) else redis.call('HDEL', KEYS[1], ARGV[1]) end
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if all[i] ~= ARGV[1] then
    local before = #found
    for _, one in ipairs(cjson.decode(all[i + 1])) do
      local ago = now - tonumber(one[1])
      if ago < width and ago > -1000000 then
        found[#found + 1] = {math.max(0, math.floor(ago / 1000000)), one[2]}
      end
    end
    if #found == before then redis.call('HDEL', KEYS[1], all[i]) end
  end
end
redis.call('PEXPIRE', KEYS[1], whole(width / 1000 + 1000))
return cjson.encode(found)
"""
)
"""KEYS: what machines use of one thing. ARGV: this machine, width in us, [[seconds ago, how much], ...] that it used.
-> the same of all others."""

TAKE_BACK = """
for _, key in ipairs(KEYS) do redis.call('ZREM', key, ARGV[1]) end
return 0
"""
