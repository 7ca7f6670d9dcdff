-- Requires waiting/waiting_index
-- Take the first entries of waiting lanes into the memory of the owner.
--
-- KEYS      [1] lease, [2] retries hash
-- ARGV      [1] consumer group
--           [2] the owner of the lease, [3] its term
--           [4] the common start of the partition's keys
--           [5] the most bytes to return; one entry is returned whatever its size
--           [6] MessagePack: list of {topic, condition or "", from, until, the most lanes}
--               from, until: lanes are taken whose time is up to `from`, and those whose time is after `until`, since no wait is
--               that long; Unix time in ms, or "+inf"
-- Returns   for each item: {lanes, how many lanes still wait there, the earliest time of these or "", how many of the topic are resumed}
--               lanes: for each {lane id, the number of entries behind the first, entry}
--               entry: {entry id, its consumer so far, retry record or nil, fields or nil}
--           or the error FENCED, with nothing done, if the partition has another owner
--
-- Guarantees: a lane that is returned does not wait any more; it is resumed, and its first entry belongs to the consumer
-- `processor`. If the answer is lost, it is found again as a resumed lane (load.lua).

local refused = refuse_other_owner(KEYS[1], ARGV[2], ARGV[3])
if refused then
  return refused
end
local retries, group, space, room = KEYS[2], ARGV[1], ARGV[4], tonumber(ARGV[5])

local function candidates(key, from, until_ms, most)
  local lanes = redis.call('ZRANGEBYSCORE', key, '-inf', from, 'LIMIT', 0, most)
  if #lanes < most and until_ms ~= '+inf' then
    for _, lane in ipairs(redis.call('ZRANGEBYSCORE', key, '(' .. until_ms, '+inf', 'LIMIT', 0, most - #lanes)) do
      lanes[#lanes + 1] = lane
    end
  end
  return lanes
end

local function resume(topic, condition, from, until_ms, most)
  local key, lanes = waiting_key(space, topic, condition), {}
  for _, lane in ipairs(candidates(key, from, until_ms, most)) do
    if room <= 0 then
      break
    end
    redis.call('ZREM', key, lane)
    local entry, consumer = first_pending(space, topic, group, lane)
    if entry then
      redis.call('SADD', resumed_key(space, topic), lane)
      local loaded, size = load_entry(space, topic, group, retries, entry, consumer)
      local behind = is_single(lane) and 0 or redis.call('LLEN', behind_key(space, topic, lane))
      lanes[#lanes + 1] = {lane, behind, loaded}
      room = room - size
    end
  end
  local left = redis.call('ZCARD', key)
  if left == 0 and condition ~= '' then
    redis.call('SREM', space .. 'conditions', topic .. ':' .. condition)
  end
  local earliest = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2] or ''
  return {lanes, left, earliest, redis.call('SCARD', resumed_key(space, topic))}
end

local results = {}
for at, item in ipairs(cmsgpack.unpack(ARGV[6])) do
  results[at] = resume(unpack(item))
end
return results
