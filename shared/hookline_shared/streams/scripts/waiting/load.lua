-- Requires waiting/waiting_index
-- Take the next entries of resumed lanes into the memory of the owner.
--
-- KEYS      [1] lease, [2] retries hash
-- ARGV      [1] consumer group
--           [2] the owner of the lease, [3] its term
--           [4] the common start of the partition's keys
--           [5] the most bytes to return; one entry is returned whatever its size
--           [6] MessagePack: list of {topic, lane id, the last indexed entry in memory or "", the most entries}
-- Returns   for each lane: {state, entries}; an entry as resume.lua returns it
--               state: 0 it is not resumed, 1 it is, and these are its last entries, 2 there are more, or may be
--           or the error FENCED, with nothing done, if the partition has another owner
--
-- Guarantees: the index does not change, but for entries that are not pending, which are removed. So it is safe to repeat.

local refused = refuse_other_owner(KEYS[1], ARGV[2], ARGV[3])
if refused then
  return refused
end
local retries, group, space, room = KEYS[2], ARGV[1], ARGV[4], tonumber(ARGV[5])

-- Return the indexed entries after `last`, which may have been settled since, and whether there are more.
local function entries_after(topic, lane, last, most)
  if is_single(lane) then
    return {lane}, false
  end
  local behind, start, entries = behind_key(space, topic, lane), 0, {}
  local is_first = first_entry(space, topic, lane) == last -- then it is not looked for in the list, which may be very long
  local at = not is_first and last ~= '' and redis.call('LPOS', behind, last)
  if at then
    start = at + 1
  elseif not is_first then -- all that was in memory is settled, so the first one is not in memory
    entries[1] = first_pending(space, topic, group, lane)
    if not entries[1] then
      return {}, false
    end
  end
  local ending = start + most - #entries -- of the range, exclusive
  if ending > start then
    for _, entry in ipairs(redis.call('LRANGE', behind, start, ending - 1)) do
      entries[#entries + 1] = entry
    end
  end
  return entries, redis.call('LLEN', behind) > ending
end

local function load(topic, lane, last, most)
  if room <= 0 then
    return {2, {}}
  elseif redis.call('SISMEMBER', resumed_key(space, topic), lane) == 0 then
    return {0, {}}
  end
  local found, more = entries_after(topic, lane, last, most)
  local entries = {}
  for at, entry in ipairs(found) do
    local consumer = consumer_of(space, topic, group, entry)
    if consumer then
      local loaded, size = load_entry(space, topic, group, retries, entry, consumer)
      entries[#entries + 1] = loaded
      room = room - size
      if room <= 0 and at < #found then
        more = true
        break
      end
    elseif not is_single(lane) then
      redis.call('LREM', behind_key(space, topic, lane), 1, entry)
    end
  end
  if #entries > 0 or more or (not is_single(lane) and first_entry(space, topic, lane)) then
    return {more and 2 or 1, entries}
  end
  redis.call('SREM', resumed_key(space, topic), lane)
  return {0, entries}
end

local results = {}
for at, item in ipairs(cmsgpack.unpack(ARGV[6])) do
  results[at] = load(unpack(item))
end
return results
