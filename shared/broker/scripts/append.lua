-- Append events to their streams, each at most once within the dedupe window.
--
-- KEYS      for each event: its stream, its seen key (all of one partition where Redis is a cluster)
-- ARGV      [1] dedupe window in ms
--           [2] the most entries a stream may hold
--           [3] the number of fields, F, then F field names
--           then for each event: its id and F field values
-- Returns   for each event: 1 appended, 0 duplicate, -1 refused because its stream is full
--
-- Guarantees: an event is appended and its seen key set, or neither, even if Redis refuses one of the commands; the call then
-- fails as a whole, though events before it in the batch stay appended. Running it again with the same events within the
-- window appends nothing, so a call whose answer was lost is safe to repeat. A refused event may be offered again.

local window, limit, width = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local results = {}
local entry = {'XADD', '', '*'}
for field = 1, width do
  entry[2 + 2 * field] = ARGV[3 + field]
end

local at = 3 + width
for event = 1, #KEYS / 2 do
  local stream, seen = KEYS[2 * event - 1], KEYS[2 * event]
  if redis.call('EXISTS', seen) == 1 then
    results[event] = 0
  elseif redis.call('XLEN', stream) >= limit then
    results[event] = -1
  else
    entry[2] = stream
    for field = 1, width do
      entry[3 + 2 * field] = ARGV[at + 1 + field]
    end
    local added = redis.call(unpack(entry)) -- first: should the rest fail, the event comes twice rather than not at all
    local marked = redis.pcall('SET', seen, ARGV[at + 1], 'PX', window)
    if marked.err then
      redis.call('XDEL', stream, added)
      return marked
    end
    results[event] = 1
  end
  at = at + 1 + width
end
return results
