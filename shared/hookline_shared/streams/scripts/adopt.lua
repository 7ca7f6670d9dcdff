-- Requires waiting/waiting_index
-- Take over the pending entries of foreign consumers, and remove the consumers that then have none.
--
-- KEYS      [1] lease, then the topic streams of one partition
-- ARGV      [1] consumer group
--           [2] the owner of the lease, [3] its term
-- Returns   the number of foreign consumers, or the error FENCED, with nothing done, if the partition has another owner
--
-- Hookline itself uses two consumer names; others come from people who read with the group by hand.

local group, count = ARGV[1], 0
local refused = refuse_other_owner(KEYS[1], ARGV[2], ARGV[3])
if refused then
  return refused
end

local function adopt(stream, name)
  while true do
    local pending = redis.call('XPENDING', stream, group, '-', '+', 1000, name)
    if #pending == 0 then
      return redis.call('XGROUP', 'DELCONSUMER', stream, group, name)
    end
    for _, entry in ipairs(pending) do
      redis.call('XCLAIM', stream, group, PROCESSOR, 0, entry[1], 'JUSTID')
    end
  end
end

for at = 2, #KEYS do
  for _, info in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[at], group)) do
    local name = info[2] -- info: "name", its value, "pending", its value, ...
    if name ~= PROCESSOR and name ~= WAITING then
      adopt(KEYS[at], name)
      count = count + 1
    end
  end
end
return count
