-- Requires waiting/waiting_index
-- Put entries that were read behind the indexed entries of their lanes, instead of into the memory of the owner.
--
-- KEYS      [1] lease
-- ARGV      [1] consumer group
--           [2] the owner of the lease, [3] its term
--           [4] the common start of the partition's keys
--           [5] MessagePack: list of {topic, lane id, entry id, 1 to defer it in any case or 0 only if its lane is indexed,
--               1 if it was pending when it was read, so that it may be indexed already}
-- Returns   for each entry: 0 not deferred, its lane is not indexed
--                           1 deferred, or not pending any more
--                           2 not deferred, it is the first of its lane's indexed entries
--                           3 not deferred, it comes before the indexed entries of its lane
--                           4 deferred, and its lane is resumed
--                           5 its body is gone, and it is not pending any more (Redis 7 and newer)
--           or the error FENCED, with nothing done, if the partition has another owner
--
-- Guarantees: a deferred entry is behind all indexed entries of its lane that come before it, which are all of them unless it was pending
-- when it was read; or where it was indexed before, once. A lane that was not indexed counts as resumed. Running it again has the same
-- effect.

local refused = refuse_other_owner(KEYS[1], ARGV[2], ARGV[3])
if refused then
  return refused
end
local group, space = ARGV[1], ARGV[4]

-- Whether an entry id comes before another one.
local function is_before(entry, other)
  local ms, seq = string.match(entry, '(%d+)-(%d+)')
  local other_ms, other_seq = string.match(other, '(%d+)-(%d+)')
  if ms == other_ms then
    return tonumber(seq) < tonumber(other_seq)
  end
  return tonumber(ms) < tonumber(other_ms)
end

-- Put an entry that a former owner had in memory where it belongs. That owner may have put later ones behind it into the index, and the
-- entries before it may wait by now. In between, an entry may be listed twice: it is skipped the second time, since it is settled by then.
local function insert(behind, entry)
  local last = redis.call('LRANGE', behind, -1, -1)[1]
  if not last or is_before(last, entry) then
    redis.call('RPUSH', behind, entry)
    return
  end
  local earlier, start, next_one = {}, 0, nil
  repeat
    for _, one in ipairs(redis.call('LRANGE', behind, start, start + 19)) do
      next_one = one
      if not is_before(one, entry) then
        break
      end
      earlier[#earlier + 1] = one
    end
    start = start + 20
  until not is_before(next_one, entry)
  redis.call('LPUSH', behind, entry)
  for at = #earlier, 1, -1 do
    redis.call('LPUSH', behind, earlier[at])
  end
  for _, one in ipairs(earlier) do
    redis.call('LREM', behind, -1, one)
  end
end

local function defer(topic, lane, entry, always, was_pending)
  if is_single(lane) then
    return redis.call('SISMEMBER', resumed_key(space, topic), lane) == 1 and 2 or 0
  end
  local first, consumer = first_entry(space, topic, lane), consumer_of(space, topic, group, entry)
  if not first and not always then
    return 0
  elseif first == entry and consumer ~= WAITING then
    return 2
  elseif first and is_before(entry, first) then
    return 3
  elseif consumer and consumer ~= WAITING then
    if not claim(space, topic, group, WAITING, entry) then
      return 5
    end
    if first and was_pending and redis.call('LPOS', behind_key(space, topic, lane), entry) then
      return redis.call('SISMEMBER', resumed_key(space, topic), lane) == 1 and 4 or 1 -- a former owner had it in memory, from the index
    elseif first and was_pending then
      insert(behind_key(space, topic, lane), entry)
    elseif first then
      redis.call('RPUSH', behind_key(space, topic, lane), entry)
    else
      redis.call('HSET', lanes_key(space, topic, lane), lane, entry)
      redis.call('SADD', resumed_key(space, topic), lane)
    end
  end
  return redis.call('SISMEMBER', resumed_key(space, topic), lane) == 1 and 4 or 1
end

local results = {}
for at, item in ipairs(cmsgpack.unpack(ARGV[5])) do
  results[at] = defer(item[1], item[2], item[3], item[4] == 1, item[5] == 1)
end
return results
