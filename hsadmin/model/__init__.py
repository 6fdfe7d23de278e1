"""Frozen values that rooms hand each other.

    front      counters, open streams, access records
    engine     the supervised headscale's state
    users      who owns nodes                                       \\
    nodes      devices, their routes and tags                        |  as headscale keeps them,
    keys       pre-auth and API keys, masked; a new key once in full |  in our words
    policy     the policy's text                                     |
    waiting    ids of devices and SSH sessions that wait            /
"""
