"""hsadmin: headscale, its front door and its console in one program. DESIGN in docs: README.md has the map of the packages."""

import os

# grpc's own fork handlers abort children that are spawned beside it (grpc/grpc#43055); must be set before the first import of grpc.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"

__version__ = "0.1.0"
