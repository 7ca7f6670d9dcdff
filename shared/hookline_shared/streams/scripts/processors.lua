-- Record the heartbeat of a processor, remove those without a recent one, and return the rest.
--
-- KEYS      [1] sorted set of processors by the server's time of their last heartbeat
-- ARGV      [1] the processor
--           [2] ms since the last heartbeat after which one is removed, or -1: this one is leaving
-- Returns   the names of all running processors, sorted
--
-- Guarantees: no processor is believed for longer than [2]. A heartbeat in the future was recorded before the clock of the server
-- was set back, or by a master whose clock was ahead of this one's. It counts as of now: a processor that lives records its next
-- one before that is too old.

local processors, name, expiry = KEYS[1], ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if expiry < 0 then
  redis.call('ZREM', processors, name)
else
  redis.call('ZREMRANGEBYSCORE', processors, '-inf', now - expiry) -- first: see lease.lua
  for _, other in ipairs(redis.call('ZRANGEBYSCORE', processors, '(' .. string.format('%.0f', now), '+inf')) do
    redis.call('ZADD', processors, now, other)
  end
  redis.call('ZADD', processors, now, name)
end
local names = redis.call('ZRANGE', processors, 0, -1)
table.sort(names)
return names
