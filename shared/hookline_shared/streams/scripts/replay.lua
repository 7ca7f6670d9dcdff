-- Replay dead letters of one partition: each leaves the dead-letter stream and enters its topic's stream, or stays.
--
-- KEYS      [1] dead-letter stream, then topic streams
-- ARGV      for each letter, in the order in which they shall enter: its entry id, the index into KEYS of its topic's stream
-- Returns   for each letter: 1 replayed, 0 not there (any more), -1 left as it is, since nothing of the event is in it
--
-- Guarantees: a letter is replayed once, however many replay it at the same time. The entry has the event's own fields, byte for
-- byte and in their order, without those of the letter (shared/hookline_shared/dead_letter.py tells which those are), and says how many lives came
-- before, and how the first one ended (shared/hookline_shared/event.py). The seen keys are neither asked nor changed. It works while Redis has no
-- memory left. If Redis refuses an entry, letters before it stay replayed, that letter and those after it stay where they are, and
-- the call fails as a whole.
--
-- When whoever replays dies: before the call, nothing has happened; after it, these letters are replayed. Redis carries the call
-- out even if the answer finds nobody, so between the two either may be true; running it again does what is left. When Redis
-- dies: the call's effects are one transaction in its file and for its replicas, so after a restart all of them are there, or
-- none. A replica that takes over and lacks them has the letters still; an event that ran meanwhile then runs once more.

local dead_letters = KEYS[1]

-- Give the place at which the letter's fields begin: the last dead.reason, if only dead.* follow.
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
  local first, entry, told, lives_at = beginning(fields), {}, {}, nil
  for at = first, #fields, 2 do
    told[fields[at]] = fields[at + 1]
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
    local past = {
      'lives', '1',
      'first.at', told['dead.at'] or '', 'first.reason', told['dead.reason'] or '',
      'first.topic', told['dead.topic'] or '', 'first.entry', told['dead.entry'] or '',
    }
    for at = 1, #past do
      entry[first - 1 + at] = past[at]
    end
  end
  return entry
end

-- Nothing is removed here. Whoever may not remove is refused before an event could be in both streams; and after a write that takes
-- no memory Redis lets the others through without any, which suits a replay: it takes none in the end.
redis.call('XDEL', dead_letters, '0-0')

local results = {}
for at = 1, #ARGV, 2 do
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
