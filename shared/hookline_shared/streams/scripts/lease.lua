-- The lease of one partition: renew, acquire, release or read it.
--
-- KEYS      [1] lease: a hash of owner, term and length, which never expires. A term is the server's time in ms at which the lease
--           was acquired, or one more than the last: it only rises, even where a failover or a flush lost the last, or the clock of
--           the server was set back. The length is "<term> <ms>"; older versions write none, so it may be that of another term
--           The lease is valid for as long as its token exists: an empty stream named <lease>:<owner>:<term>, which expires.
-- ARGV      [1] renew, acquire, release or read
--           [2] the processor that asks
--           [3] renew, release: the term under which it holds the lease, 0 if it does not; acquire: the highest term it knows
--           [4] the length of a lease in ms, 0 for an observer
--           [5] the consumer group, which the token has as well: a read that names the token works only while it exists
-- Returns   {owner, term, ms until the lease expires, 0 if nobody holds it, the server's time in ms}
--
-- Guarantees: a lease has one owner at a time. It can be acquired only when it has expired, was released, or is held by the
-- processor that asks, and each acquisition has a new term. An expired lease can be renewed if nobody has acquired it meanwhile.
-- A lease never has more time left than it is long. More would mean that the clock of the server was set back since the last
-- renewal, or that this server's clock is behind that of the master it replaced; it is then shortened to one length from now.
-- That is safe: its owner trusts it for less than a length, counted from a renewal that was sent before now.
-- All of it works while Redis has no memory left: otherwise nothing could be settled, and no memory would come free.

local lease, request, asker, known_term, length, group = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local unknown_length = 60000 -- of a lease that an older version took: as long as any is in practice
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local found = redis.call('HMGET', lease, 'owner', 'term', 'length')
local owner, term = found[1] or '', tonumber(found[2] or 0)
local token = lease .. ':' .. owner .. ':' .. string.format('%.0f', term)
local left = math.max(redis.call('PTTL', token), 0)
local held = owner == asker and term == known_term

local of_term, longest = string.match(found[3] or '', '^(%d+) (%d+)$')
longest = tonumber(of_term) == term and tonumber(longest) or math.max(length, unknown_length)
if left > longest then
  left = longest
  if length > 0 then
    redis.call('PEXPIRE', token, string.format('%.0f', longest))
  end
end

local function start()
  redis.call('DEL', token) -- first: after a write that takes no memory, Redis lets the others through without any
  local number = string.format('%.0f', term)
  redis.call('HSET', lease, 'owner', owner, 'term', number, 'length', number .. ' ' .. ARGV[4])
  token = lease .. ':' .. owner .. ':' .. number
  redis.call('XGROUP', 'CREATE', token, group, '0', 'MKSTREAM')
  redis.call('PEXPIRE', token, ARGV[4])
  left = length
end

if request == 'renew' and held then
  if redis.call('PEXPIRE', token, ARGV[4]) == 0 then
    start()
  end
  left = length
elseif request == 'acquire' and (left == 0 or owner == asker) then
  redis.call('DEL', token)
  owner, term = asker, math.max(term + 1, known_term + 1, now)
  start()
elseif request == 'release' and held then
  redis.call('DEL', token)
  redis.call('HSET', lease, 'owner', '')
  owner, left = '', 0
end
return {owner, term, left, now}
