-- Append events to their streams, each at most once within the dedupe window.
--
-- KEYS      for each event: its stream, its seen key (all of one partition where Redis is a cluster)
-- ARGV      [1] dedupe window in ms
--           [2] the limit of entries in a stream
--           [3] the name of the field that holds the body
--           [4] MessagePack: the names of all other fields, then for each event their values, all text; the second is its id
--           then for each event: its body, any bytes
-- Returns   for each event: 1 appended, 0 duplicate, -1 refused because its stream is full
--
-- Guarantees: an event is appended and its seen key set, or neither, even if Redis refuses one of the commands. The call then
-- fails as a whole, but events before it in the batch stay appended. Running it again with the same events within the window
-- appends nothing, so a call whose answer was lost is safe to repeat. A refused event may be sent again.

local window, limit, texts = ARGV[1], tonumber(ARGV[2]), cmsgpack.unpack(ARGV[4])
local results = {}
local entry = {'XADD', '', '*'}
local names = texts[1]
for field = 1, #names do
  entry[2 + 2 * field] = names[field]
end
local body = 4 + 2 * #names
entry[body] = ARGV[3]

for event = 1, #KEYS / 2 do
  local stream, seen = KEYS[2 * event - 1], KEYS[2 * event]
  if redis.call('EXISTS', seen) == 1 then
    results[event] = 0
  elseif redis.call('XLEN', stream) >= limit then
    results[event] = -1
  else
    local values = texts[1 + event]
    entry[2] = stream
    for field = 1, #names do
      entry[3 + 2 * field] = values[field]
    end
    entry[body + 1] = ARGV[4 + event]
    local added = redis.call(unpack(entry)) -- first: if the rest fails, a duplicate is better than a lost event
    local marked = redis.pcall('SET', seen, values[2], 'PX', window)
    if marked.err then
      redis.call('XDEL', stream, added)
      return marked
    end
    results[event] = 1
  end
end
return results
