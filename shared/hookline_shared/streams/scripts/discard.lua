-- Discard dead letters of one partition, and keep a record of who did that, when and why.
--
-- KEYS      [1] dead-letter stream, [2] stream of the records
-- ARGV      [1] who, [2] why, [3] about how many records are kept
--           then the entry ids of the letters
-- Returns   for each letter: 1 discarded, 0 not there (any more)
--
-- The record of a letter has these fields, and its entry id says when: who, why, letter (entry id of the letter), id, kind and
-- account of the event, topic, reason, attempts and lives; those that the letter lacks are empty. It has neither the body, nor
-- the key, nor the error, which may hold numbers and texts of people.
--
-- Guarantees: a letter is removed only together with a record of it, which is written before, and once, however many discard it
-- at the same time. It works while Redis has no memory left, since it frees some. If Redis refuses a command, letters before it
-- stay discarded, and the call fails as a whole.
--
-- When whoever discards dies: before the call, nothing has happened; after it, these letters are discarded, even if the answer
-- finds nobody; running it again does what is left. When Redis dies: the call's effects are one transaction in its file and for
-- its replicas, so after a restart all of them are there, or none.

local dead_letters, records, who, why, most = KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3]
local copied = {
  id = 'id', kind = 'kind', account = 'account', lives = 'lives',
  ['dead.topic'] = 'topic', ['dead.reason'] = 'reason', ['dead.attempts'] = 'attempts',
}
local names = {'id', 'kind', 'account', 'topic', 'reason', 'attempts', 'lives'}

-- Nothing is removed here. Whoever may not remove is refused before there could be a record of what is not discarded; and after a
-- write that takes no memory Redis lets the others through without any.
redis.call('XDEL', dead_letters, '0-0')

local results = {}
for at = 4, #ARGV do
  local id = ARGV[at]
  local found = redis.call('XRANGE', dead_letters, id, id)[1]
  if not found then
    results[#results + 1] = 0
  else
    local told = {}
    for field = 1, #found[2], 2 do
      local name = copied[found[2][field]]
      if name then
        told[name] = found[2][field + 1]
      end
    end
    local record = {'who', who, 'why', why, 'letter', id}
    for _, name in ipairs(names) do
      record[#record + 1] = name
      record[#record + 1] = string.sub(told[name] or '', 1, 100) -- of an entry that is no event they may be anything
    end
    redis.call('XADD', records, 'MAXLEN', '~', most, '*', unpack(record))
    redis.call('XDEL', dead_letters, id)
    results[#results + 1] = 1
  end
end
return results
