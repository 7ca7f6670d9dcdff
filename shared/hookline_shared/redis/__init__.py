"""Redis itself: connections, pools, topology, probing and what its servers say. Only here and in `streams` is it spoken."""
