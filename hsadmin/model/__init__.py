"""Frozen values that rooms hand each other: engine (the supervised headscale's state), front (counters, open streams, access records)."""
