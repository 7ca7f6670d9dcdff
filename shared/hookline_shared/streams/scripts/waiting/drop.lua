-- Requires waiting/waiting_index
-- Move waiting events of one partition to the dead letters. An operator calls it, so it does not name the fence.
--
-- KEYS      [1] retries hash, [2] dead-letter stream, [3] ledger stream
-- ARGV      [1] consumer group
--           [2] the common start of the partition's keys
--           [3] 1 to copy the events to the ledger; else they are copied only if the ledger stream exists
--           [4] dead.error and [5] dead.message of the letters
--           [6] MessagePack: list of {topic, lane id, entry id, or "" for the first entry of the lane}
-- Returns   for each event: 1 dropped, 0 it is not pending any more, 2 it does not wait: the owner has it in memory
--
-- Guarantees: an event is dropped only while its lane waits, so that the owner has none of the lane's indexed events in memory and
-- cannot settle the same event. Then the event leaves its stream and the index, together with its retry record, and only together
-- with a dead letter, which is written first. The next event of the lane becomes its first, and is due at once, whatever the lane
-- waited for: the owner decides anew whether it may be attempted. If the dropped event was not the first, the lane waits as before.
-- Running it again has no effect. If Redis refuses a command, events before it stay dropped, and the call fails as a whole. It works
-- while Redis has no memory left.

local retries, dead_letters, ledger = KEYS[1], KEYS[2], KEYS[3]
local group, space, error_type, message = ARGV[1], ARGV[2], ARGV[4], ARGV[5]

-- This removes nothing. After a write that takes no memory, Redis lets the others through without any.
redis.call('XDEL', dead_letters, '0-0')
local copies = ARGV[3] == '1' or redis.call('EXISTS', ledger) == 1
local time = redis.call('TIME')
local now_ms = string.format('%d%03d', time[1], math.floor(time[2] / 1000))

local function write_letter(topic, entry, name)
  local stored = redis.call('HGET', retries, name)
  local is_json, record = pcall(cjson.decode, stored or '{}')
  record = is_json and type(record) == 'table' and record or {}
  local found = redis.call('XRANGE', space .. topic, entry, entry)[1]
  local fields = found and found[2] or {}
  local letter = {
    'dead.reason', 'dropped', 'dead.error', error_type, 'dead.message', message, 'dead.traceback', '',
    'dead.attempts', string.format('%d', tonumber(record.failures) or 0),
    'dead.first_at', record.first_failed_at and string.format('%d', record.first_failed_at) or now_ms,
    'dead.at', now_ms, 'dead.topic', topic, 'dead.entry', entry,
  }
  for _, word in ipairs(letter) do
    fields[#fields + 1] = word
  end
  redis.call('XADD', dead_letters, '*', unpack(fields))
  if copies then
    fields[#fields + 1] = 'ledger.outcome'
    fields[#fields + 1] = 'dead'
    redis.call('XADD', ledger, '*', unpack(fields))
  end
end

local function drop(topic, lane, entry)
  local condition, first = condition_of(space, topic, lane), first_entry(space, topic, lane)
  entry = entry ~= '' and entry or first
  local consumer = entry and consumer_of(space, topic, group, entry)
  if not consumer then
    return 0
  elseif not condition or consumer ~= WAITING then
    return 2
  end
  local name = topic .. '/' .. entry
  write_letter(topic, entry, name)
  redis.call('XACK', space .. topic, group, entry)
  redis.call('XDEL', space .. topic, entry)
  redis.call('HDEL', retries, name)
  if first ~= entry then
    redis.call('LREM', behind_key(space, topic, lane), 1, entry)
  elseif advance(space, topic, lane) then
    make_due(space, topic, lane, condition)
  else
    redis.call('ZREM', waiting_key(space, topic, condition), lane)
  end
  return 1
end

local results = {}
for at, item in ipairs(cmsgpack.unpack(ARGV[6])) do
  results[at] = drop(item[1], item[2], item[3])
end
return results
