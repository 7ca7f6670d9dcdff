"""`make bench`: the throughput and latency of Hookline on this machine, beside their targets.

Ratios matter more than absolute figures: ingress and a bare aiohttp server take turns on the same core, so that whatever else
the machine does meets both. One core belongs to the service under test; the load, Redis and the benchmark itself share another.
Everything stays on loopback, in a Redis of its own and a directory that is removed in the end.
"""
