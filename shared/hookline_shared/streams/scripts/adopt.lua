-- Take over what is pending under other consumers, whoever they were, and remove those that then hold nothing.
--
-- KEYS      [1] lease, then the topic streams of one partition
-- ARGV      [1] consumer group
--           [2] the consumer that gets it all
--           [3] who asks, [4] under which term of the lease
-- Returns   the number of other consumers found, or the error FENCED, and nothing done, if the partition has another owner
--
-- Hookline itself reads under one name; others come from people who read with the group by hand.

local group, heir, others = ARGV[1], ARGV[2], 0
local lease = redis.call('HMGET', KEYS[1], 'owner', 'term')
if lease[1] ~= ARGV[3] or lease[2] ~= ARGV[4] then
  return redis.error_reply('FENCED another processor has taken the partition')
end
for at = 2, #KEYS do
  local stream = KEYS[at]
  local strangers = {}
  for _, facts in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
    if facts[2] ~= heir then -- facts: "name", its value, "pending", its value, ...
      strangers[#strangers + 1] = facts[2]
    end
  end
  if #strangers > 0 then
    local cursor = '0-0'
    repeat
      cursor = redis.call('XAUTOCLAIM', stream, group, heir, 0, cursor, 'COUNT', 1000, 'JUSTID')[1]
    until cursor == '0-0'
    for _, name in ipairs(strangers) do
      if #redis.call('XPENDING', stream, group, '-', '+', 1, name) == 0 then
        redis.call('XGROUP', 'DELCONSUMER', stream, group, name)
      end
    end
    others = others + #strangers
  end
end
return others
