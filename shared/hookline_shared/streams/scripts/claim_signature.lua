-- The claims on signed texts: library of append.lua and claim.lua.
--
-- Twilio's signed text has no separators and leaves out the method, so one genuine signature verifies many different requests.
-- The key <prefix>:{p}:signed:<text> holds what the first of them made, its claim, where <text> is the signature, or a hash of the
-- signed text if that has many valid signatures. Another claim on the same text is refused. A claim is no sign that an event was
-- stored, so it may come long before the event, and again; every time, it begins to last for the whole window, but for a new token.
--
-- A claim is a hash of 32 characters, and behind it, if the event has an idempotency token, a hash of that with 8 characters: see
-- claim_for in shared/hookline_shared/event.py. Twilio does not sign the token, and sends the same content again under another one
-- if the same thing happens again. So the key also holds the tokens that came, and so many of them are accepted in a window. They do
-- not prolong it, since a call that waits in a loop comes with a new one every few seconds for as long as it waits:

local CLAIM, TOKEN, MOST_TOKENS = 32, 8, 16

-- Whether `holder`, the value of a key, has the token at the end of `claim`.
local function has_token(holder, claim)
  local token = string.sub(claim, CLAIM + 1)
  for at = CLAIM + 1, #holder, TOKEN do
    if string.sub(holder, at, at + TOKEN - 1) == token then
      return true
    end
  end
  return token == ''
end

-- Claim `text`, a key, for `claim`; return whether no other one has it. `window` is in ms.
local function claim_signature(text, claim, window)
  local holder = redis.call('GET', text)
  if not holder then
    redis.call('SET', text, claim, 'PX', window)
    return true
  elseif string.sub(holder, 1, CLAIM) ~= string.sub(claim, 1, CLAIM) then
    return false
  elseif has_token(holder, claim) then
    redis.call('PEXPIRE', text, window)
    return true
  elseif #holder >= CLAIM + TOKEN * MOST_TOKENS then
    return false
  end
  redis.call('SET', text, holder .. string.sub(claim, CLAIM + 1), 'KEEPTTL')
  return true
end

