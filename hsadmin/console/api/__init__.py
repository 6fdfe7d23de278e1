"""The calls, one module per subject, and the two tables of them: what is behind console.sock, and what is behind admin.sock."""

from __future__ import annotations

from hsadmin.console.api import connect, health, local, status
from hsadmin.console.endpoint import Endpoint

CALLS: tuple[Endpoint, ...] = (health.read, status.read, connect.server, connect.ca)
LOCAL_CALLS: tuple[Endpoint, ...] = local.CALLS
