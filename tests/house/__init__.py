"""Rules that hold for the whole tree: who may import whom, how long a module may be, what the project may not mention."""
