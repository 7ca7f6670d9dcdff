-- Count the dead letters of one partition by topic, one page, without returning the letters.
--
-- KEYS      [1] dead-letter stream
-- ARGV      [1] where the page begins, as in XRANGE: '-', or '(' and the id of the last letter of the page before
--           [2] the most letters in a page, [3] the bytes of letters after which it ends
-- Returns   {id of the page's last letter, or '' if it is empty, 1 if there may be more letters, else 0,
--            topic, its count, topic, its count, ...}
--
-- Guarantees: it writes nothing, and its time and memory are bounded by the page: XRANGE copies the letters it returns, so they are
-- read few at a time. A letter without a topic counts as ''.

local letters, start, most, room = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local STEP = 16 -- letters
local counts, last, more = {}, '', 1

-- Return the topic of a letter.
local function topic_of(fields)
  for at = #fields - 1, 1, -2 do -- from the end: see shared/hookline_shared/dead_letter.py
    if fields[at] == 'dead.topic' then
      return fields[at + 1]
    end
  end
  return ''
end

-- Count some letters from `start` on; return how many, and their bytes.
local function count(number)
  local found, size = redis.call('XRANGE', letters, start, '+', 'COUNT', number), 0
  for _, letter in ipairs(found) do
    local topic = topic_of(letter[2])
    counts[topic] = (counts[topic] or 0) + 1
    for at = 2, #letter[2], 2 do
      size = size + #letter[2][at]
    end
    last = letter[1]
    start = '(' .. last
  end
  return #found, size
end

local number = 1
while most > 0 and room > 0 do
  local asked = math.min(number, most)
  local found, size = count(asked)
  if found < asked then
    more = 0
    break
  end
  most, room = most - found, room - size
  number = math.max(1, math.min(STEP, 2 * asked, math.floor(room / (size / found + 1))))
end

local answer = {last, more}
for topic, number_of in pairs(counts) do
  answer[#answer + 1] = topic
  answer[#answer + 1] = number_of
end
return answer
