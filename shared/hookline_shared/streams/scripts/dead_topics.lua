-- Count the dead letters of one partition by topic, one page, without returning the letters.
--
-- KEYS      [1] dead-letter stream
-- ARGV      [1] where the page begins, as in XRANGE: '-', or '(' and the id of the last letter of the page before
--           [2] the number of letters in a page
-- Returns   {id of the page's last letter, or '' if it is empty, topic, its count, topic, its count, ...}
--
-- Guarantees: it writes nothing, and its time is bounded by the page. A letter without a topic counts as ''.

local page = redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2])
local counts = {}
for _, letter in ipairs(page) do
  local fields, topic = letter[2], ''
  for at = #fields - 1, 1, -2 do -- from the end: see shared/hookline_shared/dead_letter.py
    if fields[at] == 'dead.topic' then
      topic = fields[at + 1]
      break
    end
  end
  counts[topic] = (counts[topic] or 0) + 1
end
local answer = {#page > 0 and page[#page][1] or ''}
for topic, count in pairs(counts) do
  answer[#answer + 1] = topic
  answer[#answer + 1] = count
end
return answer
