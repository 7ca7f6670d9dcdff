-- Return which entries are still in the streams of one partition.
--
-- KEYS      topic streams
-- ARGV      [1] the bytes of entries after which it returns
--           then for each entry: its entry id, the index into KEYS of its stream
-- Returns   for each of the first entries: 1 if it exists, else 0
--
-- Guarantees: nothing is changed, no group is needed, and no body is transferred. That is why this is a script: clients that follow
-- many entries call it often. Inside Redis XRANGE does copy the entry.

local room, results = tonumber(ARGV[1]), {}
for at = 2, #ARGV, 2 do
  if room <= 0 then
    break
  end
  local found = redis.call('XRANGE', KEYS[tonumber(ARGV[at + 1])], ARGV[at], ARGV[at])
  for _, entry in ipairs(found) do
    for field = 2, #entry[2], 2 do
      room = room - #entry[2][field]
    end
  end
  results[#results + 1] = #found
end
return results
