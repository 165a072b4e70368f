"""The Lua scripts of the live stream. A script is one step for the server: no reader and no other writer sees half.

An event's id in the stream of its journal is its number there (`seq-0`): what is delivered again cannot be added again,
and a stream that was made again has the same places, so its readers go on. One that comes late (a dead letter tried
again, a batch after its successors) gets the next place behind the last number (`last-1`), and `late` remembers it.
"""

from __future__ import annotations

NAMES = ("id", "at", "machine", "event", "session", "agent", "tool", "decision", "rule", "reason", "duration")
"""The fields of an entry in their order; `journal` and `seq` follow."""

PUT = """
local stream, cursor, dead, late, journals = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local told = cjson.decode(ARGV[2])
local names = told.names
if told.least then
  local at = redis.call('HGET', cursor, 'seq')
  if not at or tonumber(at) < told.least then return redis.error_reply('LOST the cursor went back') end
end
local top, floor, length = 0, 0, 0
if redis.call('EXISTS', stream) == 1 then
  local info = redis.call('XINFO', 'STREAM', stream)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then top = tonumber(string.match(info[i + 1], '^%d+')) end
    if info[i] == 'length' then length = info[i + 1] end
    if info[i] == 'first-entry' and info[i + 1] then floor = tonumber(string.match(info[i + 1][1], '^%d+')) end
  end
  if length < told.kept then floor = 0 end -- nothing has left it for its age
end
local given, n = {stream, ''}, #names -- one table for all: its names stay
for i, name in ipairs(names) do given[2 * i + 1] = name end
given[2 * n + 3], given[2 * n + 4], given[2 * n + 5] = 'journal', told.journal, 'seq'
local function add(id, entry, seq)
  given[2] = id
  for i = 1, n do given[2 * i + 2] = entry[i + 2] end
  given[2 * n + 6] = seq
  return redis.call('XADD', unpack(given))
end
local counts, added = {}, 0
for _, entry in ipairs(cjson.decode(ARGV[1])) do
  local seq, fresh = string.format('%.0f', entry[1]), false
  if entry[1] > top then
    add(seq .. '-0', entry, seq)
    top, fresh = entry[1], true
  elseif entry[1] >= floor and #redis.call('XRANGE', stream, seq .. '-0', seq .. '-0') == 0
      and redis.call('HEXISTS', late, seq) == 0 then
    redis.call('HSET', late, seq, add(string.format('%.0f', top) .. '-*', entry, seq))
    fresh = true
  end
  if fresh then
    added = added + 1
    if entry[2] >= told.oldest then
      local minute = string.format('%.0f', entry[2])
      local sums = counts[minute] or {}
      counts[minute] = sums
      for i, name in pairs(told.counted) do
        if entry[i + 2] ~= '' then
          local what = name .. ':' .. entry[i + 2]
          sums[what] = (sums[what] or 0) + 1
        end
      end
    end
  end
end
if added > 0 then redis.call('XTRIM', stream, 'MAXLEN', '~', told.kept) end
for minute, sums in pairs(counts) do
  local key = told.minutes .. minute
  for what, more in pairs(sums) do
    if redis.call('HEXISTS', key, what) == 0 and redis.call('HLEN', key) >= told.most then
      what = string.match(what, '^%a+') .. ':other'
    end
    redis.call('HINCRBY', key, what, more)
  end
  redis.call('EXPIRE', key, told.lasts)
end
if redis.call('HLEN', late) > 1000 then
  for _, seq in ipairs(redis.call('HKEYS', late)) do
    if tonumber(seq) < floor then redis.call('HDEL', late, seq) end
  end
end
for place, letter in pairs(told.dead) do
  local known = redis.call('HGET', dead, place)
  if known then
    known = cjson.decode(known)
    letter.attempts, letter.first_us = known.attempts + 1, known.first_us
  end
  redis.call('HSET', dead, place, cjson.encode(letter))
end
if #told.arrived > 0 and redis.call('EXISTS', dead) == 1 then
  for _, place in ipairs(told.arrived) do redis.call('HDEL', dead, place) end
end
redis.call('SADD', journals, told.journal)
if told.cursor then
  for name, value in pairs(told.cursor) do redis.call('HSET', cursor, name, value) end
end
for i = 1, 4 do redis.call('EXPIRE', KEYS[i], told.quiet) end
return added
"""
"""KEYS: stream, cursor, dead letters, late ones, journals. ARGV: the entries ([seq, minute, field, ...], by seq) and
{names, journal, kept, minutes, oldest, lasts, quiet, most, counted, dead, arrived, cursor?, least?}, both JSON."""

EMPTY = """
local stream, gone = KEYS[1], {}
local groups = {}
if redis.call('EXISTS', stream) == 1 then
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local one = {}
    for i = 1, #group, 2 do one[group[i]] = group[i + 1] end
    local waiting = redis.call('XPENDING', stream, one.name)
    local at = one['last-delivered-id']
    if waiting[1] > 0 then
      local number, part = string.match(waiting[2], '^(%d+)-(%d+)$')
      at = tonumber(part) > 0 and number .. '-' .. string.format('%.0f', tonumber(part) - 1)
        or string.format('%.0f', math.max(0, tonumber(number) - 1)) .. '-9999999'
    end
    groups[#groups + 1] = {one.name, at}
  end
end
for _, key in ipairs(KEYS) do redis.call('DEL', key) end
if ARGV[1] == 'keep' then
  for _, group in ipairs(groups) do redis.call('XGROUP', 'CREATE', stream, group[1], group[2], 'MKSTREAM') end
end
return #groups
"""
"""KEYS: the stream, then whatever else is to go. ARGV[1] `keep`: the groups of readers stay, each before the first
event that it was given and is not done with."""
