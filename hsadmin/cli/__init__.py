"""The one-shot commands: `hsadmin …`.

main       the parser, and how a run ends: exit status, sentences on stderr, never a traceback
context    what a command is given: arguments, environment, streams, the configuration when it asks
remote     the running hsadmin, over its admin.sock
duration   "24h" in seconds, and seconds in words

One module per command group: version, check (probe does its looking), engine, users, keys, headscale, status.
Data goes to stdout, sentences to stderr, so that `KEY=$(hsadmin key create --user me)` holds the key alone.
"""
