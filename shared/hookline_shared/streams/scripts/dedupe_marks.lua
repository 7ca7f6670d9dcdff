-- Requires claim_signature
-- The marks of events that were appended: library of append.lua. A mark makes other events with its dedupe key duplicates, until
-- the window of the mark is over.
--
-- A mark is a field of a hash, a bucket, with so few fields that Redis stores it as one block. It takes some 25 bytes there; a key
-- of its own would take ten times as many. The field has 12 bytes of a digest of the dedupe key, its value is the time at which
-- the window ends. Redis cannot let fields expire (it can since 7.4), so buckets expire as a whole: they belong to generations.
--
--   <prefix>:{p}:marks               MessagePack: `generations`, those that may have marks which still count, the newest last; and
--                                    `old_since`, see below. A generation has a `number`, its `base`, the server's time in ms at
--                                    which it began, the `window` in ms for which it is made, the number of `bits` that tell its
--                                    buckets apart, and `ends`, the time after which none of its marks counts. Never expires
--   <prefix>:{p}:marks:<n>:<bucket>  the bucket of generation n: field -> end of the window in ms after the base
--
-- New marks go to the newest generation for as long as its window. Then the next one begins, with as many buckets as there are marks
-- for, and the marks of the one before count for one window more at most. One that proves too small is followed by the next at once.
--
-- Clocks. A window ends by the clock of the server that is asked. If that is set forward, or is another server's since a failover,
-- windows end early by the difference, as keys would expire early. If it is set back, windows end late, but not later than one
-- window from when this is noticed: a generation that began in the future takes no marks, so the next one begins.
--
-- Older versions set a key <prefix>:{p}:seen:<dedupe key> for each event. For one window after `old_since`, when this version was used
-- first, such keys count, and are set too: processes of both versions find each other's marks, and so does an older version that
-- comes back. It is the window of the event in question: that of calls on live routes is much shorter than that of others.

local FIELD_BYTES, DIGEST_BYTES = 12, 15
local MOST_FIELDS, MANY_FIELDS = 128, 64 -- in a bucket; Redis stores up to 512 as one block
local FIRST_BITS, MOST_BITS, MOST_GENERATIONS = 6, 20, 8
local ONE_IN = 64 -- marks after which the size of a bucket is looked at
local SAMPLE = 4 -- buckets by which the number of marks is estimated

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local opened = {} -- by key

-- Note what the buckets of a generation are called, without their numbers, and how many there are. This is not stored.
local function open_buckets(marks, generation)
  generation.name, generation.buckets = marks.key .. ':' .. generation.number .. ':', 2 ^ generation.bits
end

-- Return the marks of one partition, given the key that describes them and a stream of the partition.
local function open_marks(key, stream)
  local marks = opened[key]
  if not marks then
    local stored = redis.call('GET', key)
    if stored then
      marks = cmsgpack.unpack(stored)
    else
      local lease = string.sub(key, 1, -6) .. 'lease'
      local used = redis.call('EXISTS', stream, lease) > 0
      marks = {old_since = used and now or 0, generations = {}}
    end
    marks.key = key
    for _, generation in ipairs(marks.generations) do
      open_buckets(marks, generation)
    end
    opened[key] = marks
  end
  return marks
end

-- Return the key in which an older version marks an event that has this window; nil if such keys count no more.
local function old_key(marks, dedupe, window)
  if now < (marks.old_since or 0) + window then
    return string.sub(marks.key, 1, -6) .. 'seen:' .. dedupe
  end
end

-- Return the number of bits for as many marks as `generations` have together, by a few of their buckets.
local function bits_for(generations)
  local expected = 0
  for _, generation in ipairs(generations) do
    local found = 0
    for bucket = 0, SAMPLE - 1 do
      found = found + #redis.call('HVALS', generation.name .. bucket)
    end
    expected = expected + found / SAMPLE * generation.buckets
  end
  local bits = FIRST_BITS
  while expected > MANY_FIELDS * 2 ^ bits and bits < MOST_BITS do
    bits = bits + 1
  end
  return bits
end

local function packed(marks)
  local generations = {}
  for at, one in ipairs(marks.generations) do
    generations[at] = {number = one.number, base = one.base, window = one.window, ends = one.ends, bits = one.bits}
  end
  return cmsgpack.pack({old_since = marks.old_since, generations = generations})
end

-- Begin a generation with so many bits, or as many as it takes; forget those whose marks count no more.
local function begin_generation(marks, window, bits)
  local kept, number = {}, 0
  for _, generation in ipairs(marks.generations) do
    number = generation.number
    generation.ends = math.min(generation.ends, now + generation.window) -- no mark is added to it any more
    if now < generation.ends then
      kept[#kept + 1] = generation
    end
  end
  if #kept == MOST_GENERATIONS then
    table.remove(kept, 1)
  end
  local begun = {number = number + 1, base = now, window = window, ends = now + 2 * window, bits = bits or bits_for(marks.generations)}
  kept[#kept + 1] = begun
  marks.generations = kept
  redis.call('SET', marks.key, packed(marks))
  open_buckets(marks, begun)
  return begun
end

-- Return the generation for new marks. To be called before anything else is written: Redis may refuse to write this.
local function newest_generation(marks, window)
  local newest = marks.generations[#marks.generations]
  if not newest or now < newest.base or now >= newest.base + newest.window or window > newest.window then
    return begin_generation(marks, window)
  elseif marks.crowded then
    marks.crowded = false
    return begin_generation(marks, window, math.min(newest.bits + 2, MOST_BITS))
  end
  return newest
end

-- Return the place of the mark for a digest: the field, and the number that tells its bucket.
local function place_of(digest)
  local high, middle, low = string.byte(digest, FIELD_BYTES + 1, DIGEST_BYTES)
  return string.sub(digest, 1, FIELD_BYTES), high * 65536 + middle * 256 + low
end

-- Whether there is a mark that counts.
local function is_marked(marks, field, slot, dedupe, window)
  for at = #marks.generations, 1, -1 do
    local generation = marks.generations[at]
    if now < generation.ends then
      local ends = redis.call('HGET', generation.name .. slot % generation.buckets, field)
      if ends and now < generation.base + ends then
        return true
      end
    end
  end
  local old = old_key(marks, dedupe, window)
  return old and redis.call('EXISTS', old) == 1
end

-- Set a mark in the newest generation; return the error, if any.
local function mark(marks, generation, field, slot, dedupe, id, window)
  local bucket = generation.name .. slot % generation.buckets
  local done = redis.pcall('HSET', bucket, field, now + window - generation.base)
  if type(done) == 'table' then
    return done
  end
  if redis.call('PTTL', bucket) < 0 then
    redis.call('PEXPIRE', bucket, generation.base + 2 * generation.window - now)
  end
  local old = old_key(marks, dedupe, window)
  if old then
    redis.call('SET', old, id, 'PX', window)
  end
  if slot % ONE_IN == 0 and generation.bits < MOST_BITS and #marks.generations < MOST_GENERATIONS then
    marks.crowded = #redis.call('HVALS', bucket) > MOST_FIELDS
  end
end
