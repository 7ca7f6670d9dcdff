-- Replay dead letters of one partition: move each from the dead-letter stream to the stream of a topic.
--
-- KEYS      [1] dead-letter stream, then topic streams
-- ARGV      [1] the bytes of letters after which it returns
--           then for each letter, in the order of the new entries: its entry id, the index into KEYS of its topic's stream
-- Returns   for each of the first letters: 1 replayed, 0 it does not exist, -1 not replayed, since it has no fields of an event
--
-- Guarantees: a letter is replayed once, even if several clients replay it at the same time. The entry has the fields of the
-- event, byte for byte and in their order, without those of the letter (see shared/hookline_shared/dead_letter.py), and its replay
-- history (see shared/hookline_shared/event.py). Dedupe marks are neither read nor changed. It works while Redis has no memory
-- left. If Redis refuses an entry, letters before it stay replayed, that letter and those after it do not move, and the call fails
-- as a whole.
--
-- If the client dies before the call, nothing has happened; if it dies after it, these letters are replayed. Redis carries out the
-- call even if the answer is lost, so in between either may be true; running it again does the rest. If Redis dies: the effects of
-- the call are one transaction in its file and for its replicas, so after a restart there are all of them or none. A replica that
-- takes over without them still has the letters; an event that was handled meanwhile is then handled again.

local dead_letters, room = KEYS[1], tonumber(ARGV[1])

-- Return the index at which the letter's fields begin: the last dead.reason, if only dead.* follow.
local function beginning(fields)
  local at = #fields + 1
  while at > 2 and string.sub(fields[at - 2], 1, 5) == 'dead.' do
    at = at - 2
    if fields[at] == 'dead.reason' then
      break
    end
  end
  return at
end

local function entry_of(fields)
  local first, entry, values, lives_at = beginning(fields), {}, {}, nil
  for at = 1, #fields do
    room = room - #fields[at]
  end
  for at = first, #fields, 2 do
    values[fields[at]] = fields[at + 1]
  end
  for at = 1, first - 1 do
    entry[at] = fields[at]
    if at % 2 == 1 and fields[at] == 'lives' then
      lives_at = at + 1
    end
  end
  if lives_at then
    entry[lives_at] = string.format('%d', (tonumber(entry[lives_at]) or 0) + 1)
  elseif first > 1 then
    local history = {
      'lives', '1',
      'first.at', values['dead.at'] or '', 'first.reason', values['dead.reason'] or '',
      'first.topic', values['dead.topic'] or '', 'first.entry', values['dead.entry'] or '',
    }
    for at = 1, #history do
      entry[first - 1 + at] = history[at]
    end
  end
  return entry
end

-- This removes nothing. A user without XDEL is refused here, before an event could be in both streams; and after a write that takes
-- no memory, Redis lets the others through without any. A replay needs none in the end.
redis.call('XDEL', dead_letters, '0-0')

local results = {}
for at = 2, #ARGV, 2 do
  if room <= 0 then
    break
  end
  local id, stream = ARGV[at], KEYS[tonumber(ARGV[at + 1])]
  local found = redis.call('XRANGE', dead_letters, id, id)[1]
  local entry = found and entry_of(found[2])
  if not found then
    results[#results + 1] = 0
  elseif #entry == 0 then
    results[#results + 1] = -1
  else
    redis.call('XADD', stream, '*', unpack(entry))
    redis.call('XDEL', dead_letters, id)
    results[#results + 1] = 1
  end
end
return results
