-- Who is there: note the heartbeat of a processor, forget those that have been silent, and tell who is left.
--
-- KEYS      [1] sorted set of processors by the server's time of their last heartbeat
-- ARGV      [1] the processor
--           [2] ms of silence after which one is gone, or -1: this one is leaving
-- Returns   the names of all that are there, sorted

local processors, name, patience = KEYS[1], ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if patience < 0 then
  redis.call('ZREM', processors, name)
else
  redis.call('ZREMRANGEBYSCORE', processors, '-inf', now - patience) -- first: see lease.lua
  redis.call('ZADD', processors, now, name)
end
local names = redis.call('ZRANGE', processors, 0, -1)
table.sort(names)
return names
