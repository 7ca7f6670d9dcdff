-- Create the consumer group on every topic stream that lacks it, from the start of the stream.
--
-- KEYS      [1] a key that never exists, then the topic streams of one partition
-- ARGV      [1] consumer group
-- Returns   the number of groups that were missing
--
-- Guarantees: existing groups do not change. It works while Redis has no memory left: otherwise nothing could be read and
-- settled, and no memory would come free.

redis.call('DEL', KEYS[1]) -- first: after a write that takes no memory, Redis lets the others through without any
local missing = 0
for at = 2, #KEYS do
  local made = redis.pcall('XGROUP', 'CREATE', KEYS[at], ARGV[1], '0', 'MKSTREAM')
  if not made.err then
    missing = missing + 1
  elseif not string.find(made.err, 'BUSYGROUP', 1, true) then
    return made
  end
end
return missing
