"""The package engine: finds a headscale that may be run, owns its configuration file, keeps it running.

Resolving, in the order of `releases.Releases.resolve`: the operator's binary, the shelf, a download, a build.

  releases    the four steps and what each says; the only module here that others construct
  pins        which hashes this hsadmin was shipped with (pins.json), and what is done without one
  shelf       `bin_dir`: names, one lock, atomic installation, no leftovers
  download    one release asset over HTTPS, bounded and hashed while it arrives; proxies: the environment's proxy, CONNECT
  gobuild     the pinned source compiled by Go; nothing in the environment may weaken what Go verifies
  inspect     is this file a headscale that runs here; one sentence for each way it is not
  trust       what was accepted on first use, compared at every later start
  command     a child that is run to its end, with a deadline, and taken down with all its descendants
  files       hashing and durable writing

Running: yamlfile is headscale.yaml, written by splices.

  supervisor  one headscale after the other; phases is the table it walks, backoff (pure) the pauses in between
  life        one of them, from spawn to end: what it said, whether it answers, from when on it may be signalled
  launch      what is spawned, with which environment, and why it cannot be
  child       its pipes as lines and its end as one event
  readiness   whether it answers: gRPC Health and GET /health
  lines       what a line says (pure); exits: why it ended, in one sentence (pure)
  orphan      ends what a killed hsadmin left behind
"""
