-- Return which entries are still in the streams of one partition.
--
-- KEYS      topic streams
-- ARGV      for each entry: its entry id, the index into KEYS of its stream
-- Returns   for each entry: 1 if it exists, else 0
--
-- Guarantees: nothing is changed, no group is needed, and no body is transferred. That is why this is a script: clients that follow
-- many entries call it often.

local results = {}
for at = 1, #ARGV, 2 do
  results[#results + 1] = #redis.call('XRANGE', KEYS[tonumber(ARGV[at + 1])], ARGV[at], ARGV[at])
end
return results
