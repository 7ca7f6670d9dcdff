-- The waiting index of one partition: a library that other scripts begin with.
--
-- A lane waits while its first event may not be attempted yet, and then the processor has none of its events in memory. The keys of
-- the index, spelled here and in shared/hookline_shared/redis_keys.py; `space` is their common start, `<prefix>:{p}:`:
--
--   <space>waiting:<topic>               sorted set: lane id -> Unix time in ms at which its first entry may be attempted
--   <space>waiting:<topic>:<condition>   the same for lanes that wait for a condition, and the time at which they stop waiting for it
--   <space>conditions                    set: "<topic>:<condition>" of each of these
--   <space>resumed:<topic>               set: lane ids whose first indexed entry is in the owner's memory, or comes after what is
--   <space>lanes:<topic>:<bucket>        hash: lane id -> its first indexed entry. 1024 buckets, by the lane id: hashes so small that
--                                        Redis keeps them in little memory, up to half a million lanes
--   <space>behind:<topic>:<lane id>      list: the indexed entries after the first, in order
--
-- A lane id is made from topic and key (shared/hookline_shared/streams/waiting/index.py). In an unordered topic it is the entry id itself,
-- which alone has a "-": such a lane has one entry, so it is in no hash and no list.
--
-- An indexed lane is in exactly one of the sorted sets, or resumed. An entry of the index stays pending; its consumer is `waiting`
-- while it is in Redis only, and `processor` while it is, or may be, in the memory of the owner. So a new owner reads back what the
-- previous one had in memory, whatever the number of waiting events. An entry may be listed twice, or after it was settled by a
-- version that does not know the index: entries that are not pending are skipped.

local PROCESSOR, WAITING = 'processor', 'waiting'

-- Return the error FENCED unless `owner` owns the partition by `term`. Begin with it: its last line changes nothing, but after a write
-- that takes no memory, Redis lets the others through without any, and the processor needs them to make memory free.
local function refuse_other_owner(lease, owner, term)
  local held = redis.call('HMGET', lease, 'owner', 'term')
  if held[1] ~= owner or held[2] ~= term then
    return redis.error_reply('FENCED another processor has taken the partition')
  end
  redis.call('HDEL', lease, '')
end

local function waiting_key(space, topic, condition)
  return space .. 'waiting:' .. topic .. (condition ~= '' and ':' .. condition or '')
end

local function resumed_key(space, topic)
  return space .. 'resumed:' .. topic
end

local function lanes_key(space, topic, lane)
  return space .. 'lanes:' .. topic .. ':' .. string.sub(lane, 1, 1) .. string.byte(lane, 2) % 16
end

local function behind_key(space, topic, lane)
  return space .. 'behind:' .. topic .. ':' .. lane
end

local function is_single(lane)
  return string.find(lane, '-', 1, true) ~= nil
end

-- Return the first indexed entry of a lane, or nil. A lane of an unordered topic is its own first entry, indexed or not.
local function first_entry(space, topic, lane)
  if is_single(lane) then
    return lane
  end
  return redis.call('HGET', lanes_key(space, topic, lane), lane) or nil
end

-- Remove the first indexed entry of a lane; return the next one, or nil if the lane is not indexed any more.
local function advance(space, topic, lane)
  local following = not is_single(lane) and redis.call('LPOP', behind_key(space, topic, lane))
  if following then
    redis.call('HSET', lanes_key(space, topic, lane), lane, following)
    return following
  end
  if not is_single(lane) then
    redis.call('HDEL', lanes_key(space, topic, lane), lane)
  end
  redis.call('SREM', resumed_key(space, topic), lane)
  return nil
end

-- Return the consumer of a pending entry, or nil if it is not pending.
local function consumer_of(space, topic, group, entry)
  local pending = redis.pcall('XPENDING', space .. topic, group, entry, entry, 1)
  return not pending.err and pending[1] and pending[1][2] or nil -- the error is NOGROUP
end

-- Return the first entry of a lane that is pending, and its consumer, or nil if there is none; remove those before it.
local function first_pending(space, topic, group, lane)
  local entry = first_entry(space, topic, lane)
  while entry do
    local consumer = consumer_of(space, topic, group, entry)
    if consumer then
      return entry, consumer
    end
    entry = advance(space, topic, lane)
  end
end

-- Give a pending entry to a consumer. Return false if its body is gone and it is not pending any more either: Redis 7 and newer remove
-- such an entry. That is to be told, since nothing is left of the event.
local function claim(space, topic, group, consumer, entry)
  return #redis.call('XCLAIM', space .. topic, group, consumer, 0, entry, 'JUSTID') > 0
end

-- The conditions of each topic, read once in a call of a script, and the one for which a lane was found to wait last: the lanes of one
-- call mostly wait for the same. So a call looks at few sets, however many pauses, breakers and kinds there are.
local conditions_of, last_condition = {}, {}

local function conditions(space, topic)
  if not conditions_of[topic] then
    conditions_of[topic] = {}
    for _, name in ipairs(redis.call('SMEMBERS', space .. 'conditions')) do
      if string.sub(name, 1, #topic + 1) == topic .. ':' then
        table.insert(conditions_of[topic], string.sub(name, #topic + 2))
      end
    end
  end
  return conditions_of[topic]
end

-- Return the condition for which a lane waits, '' for a time, or nil if it does not wait.
local function condition_of(space, topic, lane)
  local function waits_for(condition)
    return redis.call('ZSCORE', waiting_key(space, topic, condition), lane)
  end
  local last = last_condition[topic] or ''
  if waits_for(last) then
    return last
  elseif last ~= '' and waits_for('') then
    return ''
  end
  for _, condition in ipairs(conditions(space, topic)) do
    if condition ~= last and waits_for(condition) then
      last_condition[topic] = condition
      return condition
    end
  end
end

-- Let a lane wait until `time`, or for a condition.
local function wait_for(space, topic, lane, condition, time)
  redis.call('ZADD', waiting_key(space, topic, condition), time, lane)
  if condition ~= '' then
    redis.call('SADD', space .. 'conditions', topic .. ':' .. condition)
    conditions_of[topic] = nil
  end
end

-- Remove a lane from wherever it waits.
local function stop_waiting(space, topic, lane)
  local condition = condition_of(space, topic, lane)
  if condition then
    redis.call('ZREM', waiting_key(space, topic, condition), lane)
  end
end

-- Move a lane from the set in which it waits to that of the lanes that wait for a time, before all others there. The owner of the
-- partition looks at that set every second.
local function make_due(space, topic, lane, condition)
  if condition ~= '' then
    redis.call('ZREM', waiting_key(space, topic, condition), lane)
  end
  redis.call('ZADD', waiting_key(space, topic, ''), 0, lane)
end

-- Take an indexed entry into memory: return {entry id, its consumer so far, retry record or false, fields or false}, and its size.
local function load_entry(space, topic, group, retries, entry, consumer)
  local found = redis.call('XRANGE', space .. topic, entry, entry)[1]
  local size = 0
  if found then
    claim(space, topic, group, PROCESSOR, entry) -- without a body it stays as it is, and is told and settled like any other
    for at = 2, #found[2], 2 do
      size = size + #found[2][at]
    end
  end
  return {entry, consumer, redis.call('HGET', retries, topic .. '/' .. entry), found and found[2] or false}, size
end
