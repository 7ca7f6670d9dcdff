-- Which topics the dead letters of one partition came from, a page at a time, without handing out the letters themselves.
--
-- KEYS      [1] dead-letter stream
-- ARGV      [1] where the page begins, as in XRANGE: '-', or '(' and the id of the last letter of the page before
--           [2] how many letters make a page
-- Returns   {id of the page's last letter, or '' if it has none, topic, its letters, topic, its letters, ...}
--
-- Guarantees: it writes nothing, and takes no longer than a page. A letter that names no topic counts under ''.

local page = redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2])
local counts = {}
for _, letter in ipairs(page) do
  local fields, topic = letter[2], ''
  for at = #fields - 1, 1, -2 do -- from the end, where the names begin with `dead.`: see processor/hookline_processor/partition/dead_letter.py
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
