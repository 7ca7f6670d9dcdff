-- Note the addresses from which webhooks were verified, and learn those that other processes have noted.
--
-- KEYS      [1] the addresses: hashes, each with the time in ms on the server's clock at which it was noted last
-- ARGV      [1] how long an address is kept, in ms
--           [2] the number of addresses that are kept
--           [3] the time of the caller's last call, as it was returned; 0 if there was none
--           [4…] addresses to note
-- Returns   the time, then the addresses that were noted since ARGV[3], at most ARGV[2]
--
-- Guarantees: the key expires with its last address. A time in the future is impossible: the clock of the server was set back
-- since, or another server has taken over. Such an address counts as noted now, and a caller from the future learns all.

local keep, most, since = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for at = 4, #ARGV do
  redis.call('ZADD', KEYS[1], now, ARGV[at])
end
for _, address in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. string.format('%.0f', now), '+inf')) do
  redis.call('ZADD', KEYS[1], now, address)
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - keep))
local excess = redis.call('ZCARD', KEYS[1]) - most
if excess > 0 then
  redis.call('ZREM', KEYS[1], unpack(redis.call('ZRANGE', KEYS[1], 0, math.min(excess, 5000) - 1)))
end
redis.call('PEXPIRE', KEYS[1], keep)
if since > now then
  since = 0
end
return {string.format('%.0f', now), unpack(redis.call('ZRANGEBYSCORE', KEYS[1], string.format('%.0f', since), '+inf', 'LIMIT', 0, most))}
