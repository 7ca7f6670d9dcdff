-- Write the outcome of a request into the mark of its message.
--
-- KEYS      [1] the mark of the message
-- ARGV      [1] the mark as it must be now, or '' for any that does not say `sent`
--           [2] the new mark, [3] its life in ms
-- Returns   1 if it was written, 0 if the mark is another one
--
-- Guarantees: what `sent` says stays. It needs no lease: who has lost the partition during the request still knows its outcome.

local found = redis.call('GET', KEYS[1]) or 'queued'
if string.sub(found, 1, 5) == 'sent ' or (ARGV[1] ~= '' and found ~= ARGV[1]) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
