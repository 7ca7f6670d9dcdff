-- Requires waiting/waiting_index
-- Begin to send one message: write `sending` into its mark, or tell what its mark says.
--
-- KEYS      [1] lease, [2] the mark of the message
-- ARGV      [1] the owner of the lease, [2] its term
--           [3] how long the lease must last at least, in ms
--           [4] the account that sends
--           [5] the mark that is replaced although it says `sending`: the outcome of that request is taken for unknown; else ''
--           [6] the life of the new mark in ms
-- Returns   {the state: begun, lease, sending or sent, the mark as it is now, the server's time in ms}, or the error FENCED, with
--           nothing done, if the partition has another owner
--
-- Guarantees: of all calls for one message, one returns `begun`, until the mark is `queued` again or is replaced by its exact value.
-- It is in the mark before the answer goes out. `lease` means that nothing was done, since the lease may end during the request.

local lease, mark, owner, term = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
local refused = refuse_other_owner(lease, owner, term)
if refused then
  return refused
end
local time = redis.call('TIME')
local now = string.format('%d%03d', time[1], math.floor(time[2] / 1000))
local found = redis.call('GET', mark) or 'queued'
local state, first = string.match(found, '^(%a+) ?(%d*)')
if state == 'sent' or (state == 'sending' and found ~= ARGV[5]) then
  return {state, found, now}
elseif redis.call('PTTL', lease .. ':' .. owner .. ':' .. term) < tonumber(ARGV[3]) then
  return {'lease', found, now}
end
found = 'sending ' .. (state == 'sending' and first or now) .. ' ' .. now .. ' ' .. ARGV[4]
redis.call('SET', mark, found, 'PX', ARGV[6])
return {'begun', found, now}
