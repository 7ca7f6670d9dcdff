-- Requires waiting/waiting_index
-- Take over the pending entries of foreign consumers, and remove the consumers that then have none.
--
-- KEYS      [1] lease, then the topic streams of one partition
-- ARGV      [1] consumer group
--           [2] the owner of the lease, [3] its term
-- Returns   the number of foreign consumers, then for each stream the number of their entries whose body was missing, as far as Redis
--           drops these itself (since 7.0), or the error FENCED, with nothing done, if the partition has another owner
--
-- Hookline itself uses two consumer names; others come from people who read with the group by hand.

local group, result = ARGV[1], {0}
local refused = refuse_other_owner(KEYS[1], ARGV[2], ARGV[3])
if refused then
  return refused
end

-- Return how many entries of the consumer had no body any more.
local function adopt(stream, name)
  local gone = 0
  while true do
    local pending = redis.call('XPENDING', stream, group, '-', '+', 1000, name)
    if #pending == 0 then
      redis.call('XGROUP', 'DELCONSUMER', stream, group, name)
      return gone
    end
    for _, entry in ipairs(pending) do
      if #redis.call('XCLAIM', stream, group, PROCESSOR, 0, entry[1], 'JUSTID') == 0 then
        gone = gone + 1
      end
    end
  end
end

for at = 2, #KEYS do
  result[at] = 0
  for _, info in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[at], group)) do
    local name = info[2] -- info: "name", its value, "pending", its value, ...
    if name ~= PROCESSOR and name ~= WAITING then
      result[at] = result[at] + adopt(KEYS[at], name)
      result[1] = result[1] + 1
    end
  end
end
return result
