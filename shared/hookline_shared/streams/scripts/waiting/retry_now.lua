-- Requires waiting/waiting_index
-- Make waiting lanes of one partition due at once. An operator calls it, so it does not name the fence.
--
-- KEYS      [1] conditions set
-- ARGV      [1] the common start of the partition's keys
--           [2] MessagePack: list of {topic, lane id}
-- Returns   for each lane: 1 it is due now, 0 it does not wait, 2 it is paused, and stays where it is
--
-- Guarantees: a lane stays in exactly one set. One that the owner has resumed is not touched. Running it again has the same effect.
-- A paused lane stays, since an attempt would only put it back. A condition whose last lane leaves is removed by the owner.

local space = ARGV[1]

local function retry_now(topic, lane)
  local condition = condition_of(space, topic, lane)
  if not condition then
    return 0
  elseif string.sub(condition, 1, 6) == 'pause:' then
    return 2
  end
  make_due(space, topic, lane, condition)
  return 1
end

local results = {}
for at, item in ipairs(cmsgpack.unpack(ARGV[2])) do
  results[at] = retry_now(item[1], item[2])
end
return results
