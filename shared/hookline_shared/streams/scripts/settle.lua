-- Requires waiting/waiting_index
-- Settle events of one partition: done, failed, dead, or waiting, in one atomic step.
--
-- KEYS      [1] lease, [2] retries hash, [3] dead-letter stream, then the topic streams, and last, with ARGV[6], the ledger stream
-- ARGV      [1] consumer group
--           [2] the owner of the lease, [3] its term
--           [4] the common start of the partition's keys
--           [5] MessagePack without its binary type, which the servers' library does not know:
--               {done, recorded, failed, dead, leaving, waiting}, and where events have outputs, these as well
--               done      list of {stream, entry ids}; with ARGV[6] {stream, entry ids, topic, entry id -> attempts if more than 1,
--                         entry id -> SID of the message that it has sent}
--               recorded  list of names of retry records to be removed
--               failed    list of {name, retry record}
--               dead      list of {stream, entry id, additional names and values}
--               leaving   list of {topic, lane id, entry id}: the indexed ones among the done and dead
--               waiting   list of {topic, lane id, condition or "", time in ms, entry ids}: the first of them waits, and the others
--                         behind it; each may be indexed already
--               outputs   list of {stream, entry id, messages}: what done events send; each message is {token, life of its mark in ms,
--                         names and values of its entry in the outbox}. Of events with memory, {stream, entry id, messages, topic,
--                         {digest, the version that was read or "", the new version, the new document or "", its life in ms},
--                         entry ids of the done events that are settled with it, or not at all}
--               answers   list of {stream, entry id, digest, answer, its life in ms}: the answers to live events that are done or dead
--               where stream is an index into KEYS
--           [6] missing, or any value to copy the events that leave their topic to the ledger
-- Returns   {the number of dead letters written, list of {topic, entry id} of the entries of waiting lanes that have no body any more
--           and were therefore removed, list of {topic, entry id} of the done events for which nothing was done, since their memory
--           has another version}, or the error FENCED, with nothing done, if the partition has another owner now
--
-- Guarantees: an event is removed from its stream only together with its pending entry. A dead letter is a copy of the entry,
-- field by field, also if it cannot be decoded, and is written before the entry is removed. Running it again has no effect: an
-- entry that is no longer pending causes no dead letter, and one that does not exist no ledger entry. If Redis refuses a command,
-- the commands before it stay done, and running it again does the rest; the ledger may then have an event twice. It works while
-- Redis has no memory left, since settling frees memory.
--
-- A lane that waits is in the waiting index, with its first entry and those behind it, in order. Nothing waits whose first entry
-- is not pending any more.
--
-- The messages of an event are written to <prefix>:{p}:outbox before the event leaves its stream, each with the mark
-- <prefix>:{p}:sent:<token>, or without both if Redis refuses one of the two. A message whose mark exists is not written, and nothing of
-- an event that is not pending any more. So a message is written once, however often this is run again.
--
-- The memory of a conversation is written in this step, too, after the messages, as <prefix>:{p}:memory:<digest> with its version. If
-- it has another version than the attempt has read, nothing at all is done for the event: what it sends may rest on what is no longer
-- true. A document with the new version was written by this very event, when this ran before.
--
-- The answer to a live event is written before the event leaves its stream, too, as <prefix>:{p}:answer:<digest>, and named in the
-- stream <prefix>:{p}:answers. Running it again names it again, which wakes those who wait for it once more.
--
-- A ledger entry is such a copy, too, followed by the fields in processor/hookline_processor/ledger/entry.py.

local MOST_LOADED = 8 -- the entries of one lane that load.lua returns: MAX_LOADED in processor/hookline_processor/partition/lanes.py

local MOST_NAMES = 1000 -- the names of answers that are kept for those who were away for a moment

local retries, dead_letters, group, space = KEYS[2], KEYS[3], ARGV[1], ARGV[4]
local refused = refuse_other_owner(KEYS[1], ARGV[2], ARGV[3])
if refused then
  return refused
end
local done, recorded, failed, dead, leaving, waiting, outputs, answers = unpack(cmsgpack.unpack(ARGV[5]))
local ledger = ARGV[6] and KEYS[#KEYS]

local function write_ledger(fields, ...)
  for _, word in ipairs({...}) do
    fields[#fields + 1] = word
  end
  redis.call('XADD', ledger, '*', unpack(fields))
end

-- Write a message and its mark, or neither; return the error, if any.
local function write_message(token, life, fields)
  local mark = space .. 'sent:' .. token
  if redis.call('EXISTS', mark) == 1 then
    return
  end
  local added = redis.call('XADD', space .. 'outbox', '*', unpack(fields)) -- first: if the rest fails, twice is better than never
  local marked = redis.pcall('SET', mark, 'queued', 'PX', life)
  if marked.err then
    redis.call('XDEL', space .. 'outbox', added)
    return marked
  end
end

-- Return the version of a document, '' if there is none.
local function memory_version(digest)
  return string.match(redis.call('GET', space .. 'memory:' .. digest) or '', '^[^\n]*')
end

local stale, is_stale = {}, {}

for _, item in ipairs(outputs or {}) do
  local stream, entry, messages, topic, memory = KEYS[item[1]], item[2], item[3], item[4], item[5]
  local pending = redis.pcall('XPENDING', stream, group, entry, entry, 1)
  if pending.err and not string.find(pending.err, 'NOGROUP', 1, true) then
    return pending
  elseif #pending == 1 then
    local digest, expected, own, document, life = unpack(memory or {})
    local version = digest and memory_version(digest)
    if digest and version ~= own and version ~= expected then
      stale[#stale + 1] = {topic, entry}
      is_stale[topic .. '/' .. entry] = true
      for _, other in ipairs(item[6]) do
        is_stale[topic .. '/' .. other] = true
      end
    else
      for _, message in ipairs(messages) do
        local failure = write_message(unpack(message))
        if failure then
          return failure
        end
      end
      if digest and document ~= '' and version ~= own then
        redis.call('SET', space .. 'memory:' .. digest, own .. '\n' .. document, 'PX', life)
      end
    end
  end
end

-- Return those of `items` whose event, as `name` returns it, topic/entry id, is not stale.
local function fresh(items, name)
  if #stale == 0 then
    return items
  end
  local found = {}
  for _, item in ipairs(items) do
    if not is_stale[name(item)] then
      found[#found + 1] = item
    end
  end
  return found
end

local function name_of(item)
  return string.sub(KEYS[item[1]], #space + 1) .. '/' .. item[2]
end

for _, item in ipairs(fresh(answers or {}, name_of)) do
  local stream, entry, digest, answer, life = KEYS[item[1]], item[2], item[3], item[4], item[5]
  local pending = redis.pcall('XPENDING', stream, group, entry, entry, 1)
  if pending.err and not string.find(pending.err, 'NOGROUP', 1, true) then
    return pending
  elseif #pending == 1 then
    redis.call('SET', space .. 'answer:' .. digest, answer, 'PX', life)
    redis.call('XADD', space .. 'answers', 'MAXLEN', '~', MOST_NAMES, '*', 'answer', digest)
    redis.call('PEXPIRE', space .. 'answers', life)
  end
end

for _, item in ipairs(done) do
  local stream = KEYS[item[1]]
  local entries = fresh(item[2], function (entry) return string.sub(stream, #space + 1) .. '/' .. entry end)
  if ledger then
    local topic, attempts, sids = item[3], item[4], item[5]
    for _, entry in ipairs(entries) do
      local found = redis.call('XRANGE', stream, entry, entry)[1]
      if found then
        local sid = sids[entry] and 'ledger.sid'
        write_ledger(found[2], 'ledger.outcome', 'done', 'ledger.topic', topic, 'ledger.attempts', attempts[entry] or 1, sid, sids[entry])
      end
    end
  end
  if #entries > 0 then
    redis.call('XACK', stream, group, unpack(entries))
    redis.call('XDEL', stream, unpack(entries))
  end
end

recorded = fresh(recorded, function (name) return name end)
if #recorded > 0 then
  redis.call('HDEL', retries, unpack(recorded))
end

for _, item in ipairs(failed) do
  redis.call('HSET', retries, item[1], item[2])
end

local written = 0
for _, item in ipairs(dead) do
  local stream, entry, letter = KEYS[item[1]], item[2], item[3]
  local pending = redis.pcall('XPENDING', stream, group, entry, entry, 1)
  if pending.err and not string.find(pending.err, 'NOGROUP', 1, true) then
    return pending
  elseif #pending == 1 then -- an error, which a missing group is, has length 0
    local found = redis.call('XRANGE', stream, entry, entry)[1]
    local fields = found and found[2] or {}
    for _, value in ipairs(letter) do
      fields[#fields + 1] = value
    end
    redis.call('XADD', dead_letters, '*', unpack(fields)) -- before the XACK: if this fails, the event stays pending
    if ledger then
      write_ledger(fields, 'ledger.outcome', 'dead')
    end
    redis.call('XACK', stream, group, entry)
    redis.call('XDEL', stream, entry)
    written = written + 1
  end
end

-- Let a lane that waits go on with its next entry, if it has one.
local function end_wait(topic, lane, following)
  local condition = condition_of(space, topic, lane)
  if condition and following then
    make_due(space, topic, lane, condition)
  elseif condition then
    redis.call('ZREM', waiting_key(space, topic, condition), lane)
  end
end

for _, item in ipairs(fresh(leaving, function (one) return one[1] .. '/' .. one[3] end)) do
  local topic, lane, entry = item[1], item[2], item[3]
  if first_entry(space, topic, lane) ~= entry then
    redis.call('LREM', behind_key(space, topic, lane), 1, entry)
  else
    local was_resumed = redis.call('SISMEMBER', resumed_key(space, topic), lane) == 1
    local following = first_pending(space, topic, group, lane) -- this one is not pending any more
    if not was_resumed then -- Redis has lost that it was: it waits, for what concerned the event that leaves
      end_wait(topic, lane, following)
    end
  end
end

-- Put `entries`, the first entries of a lane, before what else is indexed of it. Return whether it was indexed.
local function index_entries(topic, lane, entries)
  if is_single(lane) then
    return false
  end
  local first, behind = first_entry(space, topic, lane), behind_key(space, topic, lane)
  if first and first ~= entries[1] then
    redis.call('LPUSH', behind, first)
  end
  for at = #entries, 2, -1 do
    if not first or not redis.call('LPOS', behind, entries[at]) then
      redis.call('LPUSH', behind, entries[at])
    end
  end
  redis.call('HSET', lanes_key(space, topic, lane), lane, entries[1])
  return first ~= nil
end

local gone = {}

-- Take entries out of the memory of the owner, if they are pending.
local function wait_with(topic, lane, entries)
  for _, entry in ipairs(entries) do
    if consumer_of(space, topic, group, entry) and not claim(space, topic, group, WAITING, entry) then
      redis.call('HDEL', retries, topic .. '/' .. entry)
      gone[#gone + 1] = {topic, entry}
    end
  end
end

for _, item in ipairs(waiting) do
  local topic, lane, condition, time, entries = item[1], item[2], item[3], item[4], item[5]
  if consumer_of(space, topic, group, entries[1]) then
    local was_indexed = index_entries(topic, lane, entries)
    wait_with(topic, lane, entries)
    if was_indexed then -- load.lua may have returned some of the next ones since, which the owner no longer wants
      wait_with(topic, lane, redis.call('LRANGE', behind_key(space, topic, lane), #entries - 1, #entries + MOST_LOADED - 2))
    end
    if redis.call('SREM', resumed_key(space, topic), lane) == 0 and was_indexed then
      stop_waiting(space, topic, lane) -- this was done before, or Redis has lost that it was resumed
    end
    if first_pending(space, topic, group, lane) then
      wait_for(space, topic, lane, condition, time)
    end
  end
end
return {written, gone, stale}
