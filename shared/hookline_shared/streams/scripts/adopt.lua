-- Take over the pending entries of other consumers, and remove the consumers that then have none.
--
-- KEYS      [1] lease, then the topic streams of one partition
-- ARGV      [1] consumer group
--           [2] the consumer that takes them over
--           [3] the owner of the lease, [4] its term
-- Returns   the number of other consumers, or the error FENCED, with nothing done, if the partition has another owner
--
-- Hookline itself uses one consumer name; others come from people who read with the group by hand.

local group, consumer, count = ARGV[1], ARGV[2], 0
local lease = redis.call('HMGET', KEYS[1], 'owner', 'term')
if lease[1] ~= ARGV[3] or lease[2] ~= ARGV[4] then
  return redis.error_reply('FENCED another processor has taken the partition')
end
for at = 2, #KEYS do
  local stream = KEYS[at]
  local others = {}
  for _, info in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
    if info[2] ~= consumer then -- info: "name", its value, "pending", its value, ...
      others[#others + 1] = info[2]
    end
  end
  if #others > 0 then
    local cursor = '0-0'
    repeat
      cursor = redis.call('XAUTOCLAIM', stream, group, consumer, 0, cursor, 'COUNT', 1000, 'JUSTID')[1]
    until cursor == '0-0'
    for _, name in ipairs(others) do
      if #redis.call('XPENDING', stream, group, '-', '+', 1, name) == 0 then
        redis.call('XGROUP', 'DELCONSUMER', stream, group, name)
      end
    end
    count = count + #others
  end
end
return count
