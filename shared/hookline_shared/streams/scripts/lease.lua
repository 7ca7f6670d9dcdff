-- The lease of one partition: keep it, take it, give it back, or look at it.
--
-- KEYS      [1] lease: a hash of owner and term, which stays for good. A term is the server's time in ms at which the lease was
--           taken, or one more than the last: it only rises, even where a failover or a flush lost the last
--           The lease runs for as long as its token exists: an empty stream named <lease>:<owner>:<term>, which expires.
-- ARGV      [1] keep, take, give or look
--           [2] who asks
--           [3] the term under which it holds the lease, 0 if it does not
--           [4] how long a lease runs, in ms
--           [5] the consumer group, which the token has as well: whoever reads along with it reads only while it exists
-- Returns   {owner, term, ms that the lease still runs, 0 if nobody has it}
--
-- Guarantees: a lease has one owner at a time. It is taken only when it has run out, was given back, or is held by who asks, and
-- whoever takes it gets a term that nobody had before. It is kept after it ran out if nobody took it meanwhile. All of it works
-- while Redis has no memory left: else nothing could be settled, and memory never come free.

local lease, want, asker, held_term, length, group = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local found = redis.call('HMGET', lease, 'owner', 'term')
local owner, term = found[1] or '', tonumber(found[2] or 0)
local token = lease .. ':' .. owner .. ':' .. term
local left = math.max(redis.call('PTTL', token), 0)
local held = owner == asker and term == held_term

local function run()
  redis.call('DEL', token) -- first: after a write that takes no memory, Redis lets the others through without any
  redis.call('HSET', lease, 'owner', owner, 'term', term)
  token = lease .. ':' .. owner .. ':' .. term
  redis.call('XGROUP', 'CREATE', token, group, '0', 'MKSTREAM')
  redis.call('PEXPIRE', token, length)
  left = tonumber(length)
end

if want == 'keep' and held then
  if redis.call('PEXPIRE', token, length) == 0 then
    run()
  end
  left = tonumber(length)
elseif want == 'take' and (left == 0 or owner == asker) then
  redis.call('DEL', token)
  local time = redis.call('TIME')
  owner, term = asker, math.max(term + 1, time[1] * 1000 + math.floor(time[2] / 1000))
  run()
elseif want == 'give' and held then
  redis.call('DEL', token)
  redis.call('HSET', lease, 'owner', '')
  owner, left = '', 0
end
return {owner, term, left}
