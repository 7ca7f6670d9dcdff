-- Requires waiting/waiting_index
-- Return the first events of lanes of one partition, without their bodies.
--
-- KEYS      [1] conditions set
-- ARGV      [1] the common start of the partition's keys
--           [2] the topic
--           [3] MessagePack: list of lane ids
-- Returns   for each lane: {lane id, id of its first entry or "" if it is not indexed, the event's id, kind and key or "", the number of
--           events behind it}
--
-- Guarantees: nothing is changed.

local space, topic = ARGV[1], ARGV[2]

local function describe(lane)
  local entry = first_entry(space, topic, lane)
  local found = entry and redis.call('XRANGE', space .. topic, entry, entry)[1]
  local values = {id = '', kind = '', key = ''}
  for at = 1, found and #found[2] or 0, 2 do
    if values[found[2][at]] then
      values[found[2][at]] = found[2][at + 1]
    end
  end
  local behind = is_single(lane) and 0 or redis.call('LLEN', behind_key(space, topic, lane))
  return {lane, found and entry or '', values.id, values.kind, values.key, behind}
end

local results = {}
for at, lane in ipairs(cmsgpack.unpack(ARGV[3])) do
  results[at] = describe(lane)
end
return results
