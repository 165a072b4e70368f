"""The Lua scripts by which services know each other apart: one that goes by another name than before, and two that say
they are one home's. Each is one step, as all of redis_lua.
"""

from __future__ import annotations

MOVE = """
local was, is = ARGV[1], ARGV[2]
local begins = was .. ' '
redis.call('ZREM', KEYS[1], was)
for i = 1, #ARGV - 3 do
  local spent, held = KEYS[2 * i], KEYS[2 * i + 1]
  redis.call('HDEL', spent, was)
  redis.call('HSET', spent, is, ARGV[3 + i])
  redis.call('EXPIRE', spent, ARGV[3])
  for _, owner in ipairs(redis.call('HKEYS', held)) do
    if string.sub(owner, 1, #begins) == begins then
      redis.call('HSETNX', held, is .. string.sub(owner, #was + 1), redis.call('HGET', held, owner))
      redis.call('HDEL', held, owner)
    end
  end
end
return 0
"""
"""KEYS: who was seen when, then spent and held of each bucket. ARGV: the name before, the name now, seconds that sums
are kept, what this machine spent in each bucket. Nothing counts under both names at any moment. Whoever else still goes
by the name before is new to the server at its next beat, and then says all it has once more."""

CLAIM = """
local found = redis.call('GET', KEYS[1]) or ''
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return found
"""
"""KEYS: whose service a journal has. ARGV: a service, and how long (ms) its word holds. -> who said it last, or ''."""
