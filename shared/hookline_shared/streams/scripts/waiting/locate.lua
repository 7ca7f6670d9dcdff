-- Requires waiting/waiting_index
-- Find the state of one unsettled event.
--
-- KEYS      [1] retries hash, [2] topic stream
-- ARGV      [1] consumer group
--           [2] the common start of the partition's keys
--           [3] the topic, [4] the entry id
--           [5] the id of its lane in an ordered topic
-- Returns   {} if it is not in its stream; else {consumer or "" if nobody has read it, ms since it was read, retry record or "",
--           lane id, the lane's first entry or "" if it is not indexed, 1 if the lane waits else 0, the condition or "", the time in ms}
--
-- Guarantees: nothing is changed, no group is needed, and no body is transferred.

local retries, stream, group, space, topic, entry, keyed = KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
if #redis.call('XRANGE', stream, entry, entry) == 0 then
  return {}
end
local pending = redis.pcall('XPENDING', stream, group, entry, entry, 1)
local read = not pending.err and pending[1] or {'', '', 0}
local lane = condition_of(space, topic, entry) and entry or keyed
local condition = condition_of(space, topic, lane)
local time = condition and redis.call('ZSCORE', waiting_key(space, topic, condition), lane) or '0'
local first = first_entry(space, topic, lane) or ''
local record = redis.call('HGET', retries, topic .. '/' .. entry) or ''
return {read[2], read[3], record, lane, first, condition and 1 or 0, condition or '', time}
