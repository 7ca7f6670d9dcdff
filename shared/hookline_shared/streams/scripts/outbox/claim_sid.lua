-- Claim the SID that Twilio gave a message.
--
-- KEYS      [1] the claim on the SID
-- ARGV      [1] the token of the message, [2] the life of the claim in ms
-- Returns   the token of the message that has the SID
--
-- Guarantees: a SID belongs to one message, the first that claims it. Running it again is safe.

local found = redis.call('GET', KEYS[1])
if found then
  return found
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]
