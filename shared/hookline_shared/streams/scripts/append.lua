-- Requires dedupe_marks
-- Append events to their streams, each at most once within the dedupe window, and nothing else under the same signature.
--
-- KEYS      for each event: its stream, the marks of its partition, the key of its signed text (all of one partition where Redis
--           is a cluster). In place of the last, the marks again mean that there is nothing to claim, or that it is claimed, and
--           the stream again that the claim was refused. For the keys of marks see dedupe_marks.lua.
--           For a stream <prefix>:{p}:<topic> that has reached the limit, it also reads <prefix>:{p}:waiting:<topic> and
--           <prefix>:{p}:waiting:<topic>:later (see waiting_index.lua).
-- ARGV      [1] dedupe window in ms
--           [2] the limit of entries in a stream; those that wait for a time do not count
--           [3] the name of the field that holds the body
--           [4] MessagePack: the names of all other fields, then for each event their values and its claim, all text; the
--           second is its id, the fifth its dedupe key. Then, if the events were accepted before, names and values of a dead letter
--           [5] a digest of the dedupe key of each event, 15 bytes each
--           then for each event: its body, any bytes
-- Returns   for each event: 1 appended, 0 duplicate, -1 refused because its stream is full, -2 refused because its signature was
--           used for another event; an event that was stored before is a duplicate, whatever its signature was used for
--
-- Guarantees: an event is appended and marked, or neither, even if Redis refuses one of the commands. The call then
-- fails as a whole, but events before it in the batch stay appended. Running it again with the same events within the window
-- appends nothing, so a call whose answer was lost is safe to repeat. A refused event may be sent again. One that was accepted
-- before, and is refused because of its signature, is a dead letter in <prefix>:{p}:dead, and marked.

local window, limit, texts = tonumber(ARGV[1]), tonumber(ARGV[2]), cmsgpack.unpack(ARGV[4])
local letter = texts[#KEYS / 3 + 2]
local results = {}
local entry = {'XADD', '', '*'}
local names = texts[1]
for field = 1, #names do
  entry[2 + 2 * field] = names[field]
end
local body = 4 + 2 * #names
entry[body] = ARGV[3]

-- Whether a stream has as many entries as it may have. Events that wait for a time are not a backlog: more processors would not
-- settle them sooner. They are counted only if there are many entries, so that other calls do not pay for it.
local function is_full(stream)
  local length = redis.call('XLEN', stream)
  if length < limit then
    return false
  end
  local space, topic = string.match(stream, '^([^{]*{%d+}:)(.*)$')
  local waiting = space .. 'waiting:' .. topic
  return length - redis.call('ZCARD', waiting) - redis.call('ZCARD', waiting .. ':later') >= limit
end

-- Add an entry and mark its event, or neither; return the error, if any.
local function write(fields, marks, field, slot, values)
  local generation = newest_generation(marks, window)
  local added = redis.call(unpack(fields)) -- first: if the rest fails, a duplicate is better than a lost event
  local failed = mark(marks, generation, field, slot, values[5], values[2], window)
  if failed then
    redis.call('XDEL', fields[2], added)
    return failed
  end
end

local function write_letter(stream, marks, mark_field, slot, values, content)
  local space, topic = string.match(stream, '^([^{]*{%d+}:)(.*)$')
  local fields = {'XADD', space .. 'dead', '*'}
  for field = 1, #names do
    fields[2 + 2 * field], fields[3 + 2 * field] = names[field], values[field]
  end
  fields[body], fields[body + 1] = ARGV[3], content
  for at = 1, #letter do
    fields[#fields + 1] = letter[at]
  end
  fields[#fields + 1], fields[#fields + 2] = 'dead.topic', topic
  fields[#fields + 1], fields[#fields + 2] = 'dead.entry', ''
  return write(fields, marks, mark_field, slot, values)
end

for event = 1, #KEYS / 3 do
  local stream, key, signed = KEYS[3 * event - 2], KEYS[3 * event - 1], KEYS[3 * event]
  local values, content = texts[1 + event], ARGV[5 + event]
  local marks = open_marks(key, stream)
  local field, slot = place_of(string.sub(ARGV[5], DIGEST_BYTES * (event - 1) + 1, DIGEST_BYTES * event))
  local refused, failed = signed == stream, nil
  if signed ~= key and not refused then
    refused = not claim_signature(signed, values[#names + 1], window)
  end
  if is_marked(marks, field, slot, values[5], window) then
    results[event] = 0
  elseif refused then
    failed = letter and write_letter(stream, marks, field, slot, values, content)
    results[event] = -2
  elseif is_full(stream) then
    results[event] = -1
  else
    entry[2] = stream
    for at = 1, #names do
      entry[3 + 2 * at] = values[at]
    end
    entry[body + 1] = content
    failed = write(entry, marks, field, slot, values)
    results[event] = 1
  end
  if failed then
    return failed
  end
end
return results
