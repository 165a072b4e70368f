"""The Lua scripts by which machines decide together: each one step for the server, by the server's own clock (TIME).

Windows are redis_pace_lua's. Budgets keep what each machine says it spent (a machine's own sum, set and never added to,
so that saying it twice or after a loss is harmless) beside what is reserved; a lease is granted with a fencing token
that only ever grows: each is at least the milliseconds since 2026, which no count of tokens overtakes, so that a server
that lost everything, or was restored from an older copy, gives none twice.
Texts between us are JSON; numbers that may pass 2^53 are none here (nano-USD up to nine million dollars).
"""

from __future__ import annotations

from levaithan.stores.redis_pace_lua import ADMIT, POOL, TAKE_BACK
from levaithan.stores.redis_pace_lua import NOW as _NOW

RESERVE = (
    _NOW
    + """
local told = cjson.decode(ARGV[1])
local mine, owner = told.node .. ' ', told.node .. ' ' .. told.holder
local function release()
  for _, key in ipairs(redis.call('SMEMBERS', KEYS[1])) do redis.call('HDEL', key, owner) end
  redis.call('DEL', KEYS[1])
end
release()
local answer = {}
for i, own in ipairs(told.own) do
  local spent, held = KEYS[2 * i], KEYS[2 * i + 1]
  local others, under_way = 0, 0
  redis.call('HSET', spent, told.node, own)
  redis.call('EXPIRE', spent, told.keep_s)
  local sums = redis.call('HGETALL', spent)
  for j = 1, #sums, 2 do
    if sums[j] ~= told.node then others = others + tonumber(sums[j + 1]) end
  end
  local kept = redis.call('HGETALL', held)
  for j = 1, #kept, 2 do
    local nano, till = string.match(kept[j + 1], '^(%d+) (%d+)$')
    if tonumber(till) <= now then redis.call('HDEL', held, kept[j])
    elseif string.sub(kept[j], 1, #mine) ~= mine then under_way = under_way + tonumber(nano) end
  end
  redis.call('HSET', held, owner, told.nano .. ' ' .. whole(now + told.lasts_us))
  redis.call('PEXPIRE', held, whole(told.lasts_us / 1000 + 1000))
  redis.call('SADD', KEYS[1], held)
  answer[i] = {whole(others), whole(under_way)}
end
redis.call('PEXPIRE', KEYS[1], whole(told.lasts_us / 1000 + 1000))
return cjson.encode(answer)
"""
)
"""KEYS: what the holder reserved, then spent and held of each bucket. ARGV: {node, holder, nano, lasts_us, keep_s,
own: [what this machine spent in each, ...]}, amounts as texts. -> [[spent by others, held by others], ...]; a
holder has one reservation, the last, so an event that asks again reserves nothing more."""

RELEASE = """
for _, key in ipairs(redis.call('SMEMBERS', KEYS[1])) do redis.call('HDEL', key, ARGV[1]) end
return redis.call('DEL', KEYS[1])
"""

SETTLE = """
for i, key in ipairs(KEYS) do
  redis.call('HSET', key, ARGV[1], ARGV[2 + i])
  redis.call('EXPIRE', key, ARGV[2])
end
return #KEYS
"""
"""KEYS: spent of each bucket. ARGV: node, seconds it is kept, what this machine spent in each."""

_LEASES = (
    _NOW
    + """
local leases, ends, last = KEYS[1], KEYS[2], KEYS[3]
for _, path in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', whole(now), 'LIMIT', 0, 1000)) do
  redis.call('HDEL', leases, path)
  redis.call('ZREM', ends, path)
end
local function of(path)
  local kept = redis.call('HGET', leases, path)
  return kept and cjson.decode(kept)
end
local function keep(path, lease, lasts_us)
  lease.until_us = whole(now + lasts_us)
  lease.renewed_us = whole(now)
  redis.call('HSET', leases, path, cjson.encode(lease))
  redis.call('ZADD', ends, lease.until_us, path)
end
local floor = math.floor(now / 1000) - 1767225600000
local function fence(least)
  local token = math.max(tonumber(redis.call('GET', last) or 0) + 1, floor, least or 0)
  redis.call('SET', last, whole(token))
  return token
end
"""
)

ACQUIRE = (
    _LEASES
    + """
local told = cjson.decode(ARGV[1])
local found = {}
for i, path in ipairs(told.paths) do
  local lease = of(path)
  if lease and lease.session ~= told.lease.session then
    return cjson.encode({held = lease, path = path})
  end
  found[i] = lease or false
end
local fences, fresh, token = {}, {}, nil
for i, path in ipairs(told.paths) do
  local lease = found[i]
  if not lease then
    token = token or fence(told.least)
    lease = {session = told.lease.session, agent = told.lease.agent, project = told.lease.project,
             node = told.lease.node, since_us = whole(now), fence = whole(token)}
    fresh[#fresh + 1] = path
  end
  lease.node = told.lease.node
  keep(path, lease, told.lasts_us)
  fences[path] = lease.fence
end
return cjson.encode({fences = fences, fresh = fresh})
"""
)
"""KEYS of all leases' scripts: the leases, their ends, the last fencing token. ARGV: {paths, lasts_us, least, lease:
{session, agent, project, node}}. -> {held, path} of the first that another session has, and none is taken; or {fences:
{path: token}, fresh: [paths that it did not hold]}."""

OTHER = (
    _LEASES
    + """
for _, path in ipairs(cjson.decode(ARGV[2])) do
  local lease = of(path)
  if lease and lease.session ~= ARGV[1] then return cjson.encode({held = lease, path = path}) end
end
return '{}'
"""
)
"""ARGV: a session, [paths]. -> {held, path} of the first that another session has, {} where none has any."""

ANNOUNCE = (
    _LEASES
    + """
local lost = {}
for _, told in ipairs(cjson.decode(ARGV[1])) do
  local lease = of(told.path)
  local same = lease and lease.session == told.session
  local newer = lease and lease.node == told.node and tonumber(told.fence) > tonumber(lease.fence)
  if lease and not same and not newer then lost[#lost + 1] = told.path
  else
    local known = lease and tonumber(lease.fence) or 0
    local token = math.max(known, tonumber(told.fence))
    if token > tonumber(redis.call('GET', last) or floor) then redis.call('SET', last, whole(token)) end
    keep(told.path, {session = told.session, agent = told.agent, project = told.project, node = told.node,
                     since_us = same and lease.since_us or whole(now), fence = whole(token)}, told.lasts_us)
  end
end
return cjson.encode({lost = lost})
"""
)
"""ARGV: [{path, session, agent, project, node, fence, lasts_us}, ...], in force on one machine. -> {lost: [paths that
another session has]}; the others are in force for so long from now. Between two sessions of that machine the newer
token holds: its own book has handed the lease on."""

FREE = (
    _LEASES
    + """
local done = 0
for _, told in ipairs(cjson.decode(ARGV[1])) do
  local lease = of(told.path)
  if lease and lease.node == told.node and (not told.fence or lease.fence == told.fence)
      and now - tonumber(lease.renewed_us) >= told.unless_us then
    redis.call('HDEL', leases, told.path)
    redis.call('ZREM', ends, told.path)
    done = done + 1
  end
end
return done
"""
)
"""ARGV: [{path, node, fence?, unless_us}, ...]: ends these, but those renewed less than unless_us ago."""

LEASES = (
    _LEASES
    + """
local found = {}
local all = redis.call('HGETALL', leases)
for i = 1, #all, 2 do
  local lease = cjson.decode(all[i + 1])
  lease.path = all[i]
  found[#found + 1] = lease
end
return cjson.encode({leases = found, now = whole(now)})
"""
)

BEAT = (
    _NOW
    + """
local new = redis.call('ZADD', KEYS[1], whole(now), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', whole(now - 604800000000))
redis.call('ZREMRANGEBYSCORE', KEYS[1], whole(now + 1000000), '+inf')
return {new, redis.call('ZRANGEBYSCORE', KEYS[1], whole(now - ARGV[2]), '+inf', 'WITHSCORES')}
"""
)
"""KEYS: who was seen when. ARGV: a service, and how long (us) one is alive. -> {1 for one it did not know, the
living and when they were seen}."""

_HALTS = (
    _NOW
    + """
local halts, released, version, channel = KEYS[1], KEYS[2], KEYS[3], ARGV[1]
local function changed()
  local number = math.max(tonumber(redis.call('GET', version) or 0) + 1, now)
  redis.call('SET', version, whole(number))
  redis.call('PUBLISH', channel, whole(number))
end
"""
)

SET_HALTS = (
    _HALTS
    + """
local done = 0
for _, halt in ipairs(cjson.decode(ARGV[2])) do
  if not redis.call('ZSCORE', released, halt[1]) then
    done = done + redis.call('HSETNX', halts, halt[1], halt[2])
  end
end
if done > 0 then changed() end
return done
"""
)
"""KEYS of all halts' scripts: halts, released ones, version. ARGV: channel, [[id, halt as JSON], ...]. One that was
released once is not set again."""

RELEASE_HALTS = (
    _HALTS
    + """
local done = 0
redis.call('ZREMRANGEBYSCORE', released, '-inf', whole(now - 2592000000000))
for _, id in ipairs(cjson.decode(ARGV[2])) do
  redis.call('ZADD', released, 'NX', whole(now), id)
  done = done + redis.call('HDEL', halts, id)
end
if done > 0 then changed() end
return done
"""
)

ALL_HALTS = """
return {redis.call('GET', KEYS[3]) or '0', redis.call('HGETALL', KEYS[1]), redis.call('ZRANGE', KEYS[2], 0, -1)}
"""

SCRIPTS = (
    ADMIT, POOL, TAKE_BACK, RESERVE, RELEASE, SETTLE, ACQUIRE, OTHER, ANNOUNCE, FREE, LEASES, BEAT, SET_HALTS,
    RELEASE_HALTS, ALL_HALTS,
)  # fmt: skip
