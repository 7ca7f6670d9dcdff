-- The claims on signatures: library of append.lua and claim.lua.
--
-- Twilio's signed text has no separators and leaves out the method, so one genuine signature verifies many different requests.
-- The key <prefix>:{p}:signed:<signature> holds a hash of what the first of them made: its claim. Another claim on the same
-- signature is refused. A claim is no sign that an event was stored, so it may come long before the event, and again.

-- Claim `signature`, a key, for `claim`; return whether no other one has it. `window` is in ms.
local function claim_signature(signature, claim, window)
  local digest = string.sub(redis.sha1hex(claim), 1, 16)
  local holder = redis.call('GET', signature)
  if holder then
    return holder == digest
  end
  redis.call('SET', signature, digest, 'PX', window)
  return true
end

