-- Requires claim_signature
-- Claim signed texts whose events are in other partitions, in a cluster, before append.lua is called for these.
--
-- KEYS      for each event: the key of its signed text, see claim_signature.lua (all of one partition)
-- ARGV      [1] dedupe window in ms
--           then for each event: its claim
-- Returns   for each event: 1 if the text is claimed for it, now or since an earlier call, 0 if it is for another one
--
-- Guarantees: of all claims on a text within the window, one succeeds. Running it again is safe.

local results = {}
for event = 1, #KEYS do
  results[event] = claim_signature(KEYS[event], ARGV[1 + event], ARGV[1]) and 1 or 0
end
return results
