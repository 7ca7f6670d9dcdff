-- The lease of one partition: renew, acquire, release or read it.
--
-- KEYS      [1] lease: a hash of owner and term, which never expires. A term is the server's time in ms at which the lease was
--           acquired, or one more than the last: it only rises, even where a failover or a flush lost the last
--           The lease is valid for as long as its token exists: an empty stream named <lease>:<owner>:<term>, which expires.
-- ARGV      [1] renew, acquire, release or read
--           [2] the processor that asks
--           [3] the term under which it holds the lease, 0 if it does not
--           [4] the length of a lease, in ms
--           [5] the consumer group, which the token has as well: a read that names the token works only while it exists
-- Returns   {owner, term, ms until the lease expires, 0 if nobody holds it}
--
-- Guarantees: a lease has one owner at a time. It can be acquired only when it has expired, was released, or is held by the
-- processor that asks, and each acquisition has a new term. An expired lease can be renewed if nobody has acquired it meanwhile.
-- All of it works while Redis has no memory left: otherwise nothing could be settled, and no memory would come free.

local lease, request, asker, held_term, length, group = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local found = redis.call('HMGET', lease, 'owner', 'term')
local owner, term = found[1] or '', tonumber(found[2] or 0)
local token = lease .. ':' .. owner .. ':' .. term
local left = math.max(redis.call('PTTL', token), 0)
local held = owner == asker and term == held_term

local function start()
  redis.call('DEL', token) -- first: after a write that takes no memory, Redis lets the others through without any
  redis.call('HSET', lease, 'owner', owner, 'term', term)
  token = lease .. ':' .. owner .. ':' .. term
  redis.call('XGROUP', 'CREATE', token, group, '0', 'MKSTREAM')
  redis.call('PEXPIRE', token, length)
  left = tonumber(length)
end

if request == 'renew' and held then
  if redis.call('PEXPIRE', token, length) == 0 then
    start()
  end
  left = tonumber(length)
elseif request == 'acquire' and (left == 0 or owner == asker) then
  redis.call('DEL', token)
  local time = redis.call('TIME')
  owner, term = asker, math.max(term + 1, time[1] * 1000 + math.floor(time[2] / 1000))
  start()
elseif request == 'release' and held then
  redis.call('DEL', token)
  redis.call('HSET', lease, 'owner', '')
  owner, left = '', 0
end
return {owner, term, left}
