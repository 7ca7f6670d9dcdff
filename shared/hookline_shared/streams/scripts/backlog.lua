-- Requires waiting/waiting_index
-- Measure the topics of one partition.
--
-- KEYS      topic streams
-- ARGV      [1] consumer group
--           [2] the common start of the partition's keys
--           then for each stream: its topic
-- Returns   for each topic: {number of unsettled events, how many of them wait for a time, Unix time in ms since when the oldest event
--           could have been handled, or ""}
--           That is the time of the oldest event that is not in the waiting index, or the time at which the first waiting lane
--           should have been attempted, whichever is earlier.
--
-- Guarantees: nothing is changed, no group is needed, and no body is transferred.

local group, space = ARGV[1], ARGV[2]
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)

local function oldest_of(entries)
  return entries[1] and tonumber(string.match(entries[1][1], '^%d+'))
end

-- Return the oldest entry that nobody has read, in Unix ms, or nil.
local function oldest_unread(stream)
  local groups = redis.pcall('XINFO', 'GROUPS', stream)
  for _, info in ipairs(groups.err and {} or groups) do
    if info[2] == group then -- info: "name", its value, ..., "last-delivered-id", its value, ...
      for at = 1, #info, 2 do
        if info[at] == 'last-delivered-id' then
          return oldest_of(redis.call('XRANGE', stream, '(' .. info[at + 1], '+', 'COUNT', 1))
        end
      end
    end
  end
  return oldest_of(redis.call('XRANGE', stream, '-', '+', 'COUNT', 1))
end

-- Return the oldest entry that is pending for another consumer than `waiting`, in Unix ms, or nil.
local function oldest_in_memory(stream)
  local consumers, oldest = redis.pcall('XINFO', 'CONSUMERS', stream, group), nil
  for _, info in ipairs(consumers.err and {} or consumers) do
    local name = info[2] -- info: "name", its value, "pending", its value, ...
    if name ~= WAITING and info[4] > 0 then
      local found = oldest_of(redis.call('XPENDING', stream, group, '-', '+', 1, name))
      oldest = math.min(found or math.huge, oldest or math.huge)
    end
  end
  return oldest
end

-- Return the earliest time at which a lane should have been attempted, in Unix ms, or nil. A time of 0 is "at once", from an operator.
local function earliest_overdue(topic)
  local overdue = redis.call('ZRANGEBYSCORE', waiting_key(space, topic, ''), '(0', now_ms, 'WITHSCORES', 'LIMIT', 0, 1)
  return tonumber(overdue[2])
end

local results = {}
for at, stream in ipairs(KEYS) do
  local topic, oldest = ARGV[2 + at], math.huge
  for _, find in ipairs({oldest_unread, oldest_in_memory}) do
    oldest = math.min(oldest, find(stream) or math.huge)
  end
  oldest = math.min(oldest, earliest_overdue(topic) or math.huge)
  local waiting = redis.call('ZCARD', waiting_key(space, topic, '')) + redis.call('ZCARD', waiting_key(space, topic, 'later'))
  results[at] = {redis.call('XLEN', stream), waiting, oldest < math.huge and string.format('%.0f', oldest) or ''}
end
return results
