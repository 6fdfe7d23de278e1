"""A front worker as a process. The main process starts it, with its control pipe and the listening sockets as inherited descriptors."""

from __future__ import annotations

from typing import Any

from hsadmin.front.worker import prison


def main() -> None:
    prison.deaf()  # before anything that takes time
    prison.confine()
    import gc  # noqa: PLC0415 - see above
    import select  # noqa: PLC0415
    import time  # noqa: PLC0415

    from hsadmin.front import hosting  # noqa: PLC0415

    if hasattr(select, "epoll"):
        hosting.install()
    from twisted.internet import reactor as _reactor  # noqa: PLC0415
    from twisted.internet.stdio import StandardIO  # noqa: PLC0415
    from twisted.logger import ILogObserver, LogEvent, globalLogBeginner  # noqa: PLC0415
    from zope.interface import provider  # noqa: PLC0415

    from hsadmin.certificates.given import Given  # noqa: PLC0415
    from hsadmin.front.wire import ORDERS, TALES  # noqa: PLC0415
    from hsadmin.front.worker.life import Worker  # noqa: PLC0415
    from hsadmin.system.collector import THRESHOLDS  # noqa: PLC0415

    reactor: Any = _reactor
    reactor.seconds = time.monotonic

    @provider(ILogObserver)
    def say(event: LogEvent) -> None:
        worker.observe(event)

    def gone() -> None:
        if reactor.running:
            reactor.stop()

    certificates = Given()
    worker = Worker(reactor, certificates=certificates, take=certificates.take, now=time.time, gone=gone)
    globalLogBeginner.beginLoggingTo([say], redirectStandardIO=False, discardBuffer=True)
    reactor.callWhenRunning(StandardIO, worker, ORDERS, TALES, reactor)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    reactor.run(installSignalHandlers=False)


if __name__ == "__main__":
    main()
