-- Record the heartbeat of a processor, remove those without a recent one, and return the rest.
--
-- KEYS      [1] sorted set of processors by the server's time of their last heartbeat
--           [2] what this processor publishes about itself; in the slot of [1]
-- ARGV      [1] the processor
--           [2] ms since the last heartbeat after which one is removed, or -1: this one is leaving
--           [3] what it publishes, empty if that is nothing
-- Returns   the names of all running processors, sorted
--
-- Guarantees: no processor is believed for longer than [2]. A heartbeat in the future was recorded before the clock of the server
-- was set back, or by a master whose clock was ahead of this one's. It counts as of now: a processor that lives records its next
-- one before that is too old. What a processor publishes outlives its heartbeat, so that
-- observers know how old that may be.

local processors, about, name, expiry, published = KEYS[1], KEYS[2], ARGV[1], tonumber(ARGV[2]), ARGV[3]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if expiry < 0 then
  redis.call('ZREM', processors, name)
  redis.call('DEL', about)
else
  redis.call('ZREMRANGEBYSCORE', processors, '-inf', now - expiry) -- first: see lease.lua
  local beats = redis.call('ZRANGE', processors, 0, -1, 'WITHSCORES')
  for at = 1, #beats, 2 do
    if tonumber(beats[at + 1]) > now then
      redis.call('ZADD', processors, now, beats[at])
    end
  end
  redis.call('ZADD', processors, now, name)
  if published ~= '' and redis.call('GET', about) == published then
    redis.call('PEXPIRE', about, expiry + 60000)
  elseif published ~= '' then
    redis.call('SET', about, published, 'PX', expiry + 60000)
  end
end
local names = redis.call('ZRANGE', processors, 0, -1)
table.sort(names)
return names
