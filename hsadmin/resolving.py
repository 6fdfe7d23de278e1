"""How a configuration's headscale is found: the parts of `engine.releases.Releases`, put together for the daemon and the command line alike."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping
from typing import Any

from hsadmin.config import Config
from hsadmin.engine.download import DownloadSource
from hsadmin.engine.files import Offload
from hsadmin.engine.gobuild import GoBuilder
from hsadmin.engine.inspect import Inspector
from hsadmin.engine.pins import Platform
from hsadmin.engine.releases import Releases
from hsadmin.engine.shelf import Shelf
from hsadmin.engine.trust import TrustRecord
from hsadmin.model.layout import Layout


def this_platform() -> Platform:
    return Platform.named(platform.system(), platform.machine())


def releases(reactor: Any, config: Config, environ: Mapping[str, str], offload: Offload, *, network: bool = True) -> Releases:
    """Without `network` nothing is downloaded or built. `offload` runs what blocks, such as hashing."""
    here = this_platform()
    return Releases(
        reactor,
        version=config.headscale.version,
        platform=here,
        shelf=Shelf(config.bin_dir),
        trust=TrustRecord(Layout(config.work_dir).trust),
        inspector=Inspector(reactor, here),
        offload=offload,
        now=time.time,
        binary=config.headscale.binary,
        sha256=config.headscale.sha256 or None,
        downloads=DownloadSource.over_https(reactor, environ) if network else None,
        builder=GoBuilder(reactor, environ=environ) if network else None,
    )
