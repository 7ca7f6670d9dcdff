-- Count events of one key against its rate, together with all other processes (GCRA, see ingress/hookline_ingress/limits/rates.py).
--
-- KEYS      [1] the limit: the time at which its bucket will be empty, in microseconds on the server's clock
-- ARGV      [1] events per second
--           [2] the highest level, in events
--           [3] events since the last call
-- Returns   the level in thousandths of an event
--
-- Guarantees: the key expires once its bucket is empty. A call whose answer was lost has counted all the same. A level above the
-- highest is impossible: the clock of the server was set back since, or another server has taken over. It counts as empty.

local per_second, most, taken = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local empty_at = math.max(now, tonumber(redis.call('GET', KEYS[1]) or 0))
if empty_at - now > (most / per_second + 1) * 1000000 then
  empty_at = now
end
local level = math.min(most, (empty_at - now) * per_second / 1000000 + taken)
local rest = math.ceil(level * 1000000 / per_second)
redis.call('SET', KEYS[1], string.format('%.0f', now + rest), 'PX', math.max(1, math.ceil(rest / 1000)))
return math.floor(level * 1000)
