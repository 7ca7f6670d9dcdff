-- Discard dead letters of one partition, and record who did that, when and why.
--
-- KEYS      [1] dead-letter stream, [2] stream of the records
-- ARGV      [1] who, [2] why, [3] the approximate limit of records, [4] the bytes of letters after which it returns
--           then the entry ids of the letters
-- Returns   for each of the first letters: 1 discarded, 0 it does not exist
--
-- The entry id of a record is the time. Its fields are who, why, letter (entry id of the letter), id, kind and account of the
-- event, topic, reason, attempts and lives; those that the letter lacks are empty. It does not have the body, the key and the
-- error, which may contain personal data.
--
-- Guarantees: a letter is removed only together with a record of it, which is written first, and once, even if several clients
-- discard it at the same time. It works while Redis has no memory left, since it frees some. If Redis refuses a command, letters
-- before it stay discarded, and the call fails as a whole.
--
-- If the client dies before the call, nothing has happened; if it dies after it, these letters are discarded, even if the answer
-- is lost; running it again does the rest. If Redis dies: the effects of the call are one transaction in its file and for its
-- replicas, so after a restart there are all of them or none.

local dead_letters, records, who, why, most, room = KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local copied = {
  id = 'id', kind = 'kind', account = 'account', lives = 'lives',
  ['dead.topic'] = 'topic', ['dead.reason'] = 'reason', ['dead.attempts'] = 'attempts',
}
local names = {'id', 'kind', 'account', 'topic', 'reason', 'attempts', 'lives'}

-- This removes nothing. A user without XDEL is refused here, before there is a record of a letter that is not discarded; and after
-- a write that takes no memory, Redis lets the others through without any.
redis.call('XDEL', dead_letters, '0-0')

local results = {}
for at = 5, #ARGV do
  if room <= 0 then
    break
  end
  local id = ARGV[at]
  local found = redis.call('XRANGE', dead_letters, id, id)[1]
  if not found then
    results[#results + 1] = 0
  else
    local values = {}
    for field = 1, #found[2], 2 do
      room = room - #found[2][field + 1]
      local name = copied[found[2][field]]
      if name then
        values[name] = found[2][field + 1]
      end
    end
    local record = {'who', who, 'why', why, 'letter', id}
    for _, name in ipairs(names) do
      record[#record + 1] = name
      record[#record + 1] = string.sub(values[name] or '', 1, 100) -- those of an entry that is not an event are arbitrary
    end
    redis.call('XADD', records, 'MAXLEN', '~', most, '*', unpack(record))
    redis.call('XDEL', dead_letters, id)
    results[#results + 1] = 1
  end
end
return results
