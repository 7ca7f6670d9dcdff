-- Return the length of a stream, and its oldest entry without its fields.
--
-- KEYS      [1] stream
-- Returns   {length, id of the oldest entry, or '' if there is none}
--
-- Guarantees: nothing is changed, and no body is transferred. That is why this is a script: it is called often, for many streams.

local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
return {redis.call('XLEN', KEYS[1]), first and first[1] or ''}
