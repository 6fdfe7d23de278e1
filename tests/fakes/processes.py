"""A reactor whose processes are played by the test: it records what is spawned and signalled, and the test says what the child does."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.interfaces import IProcessProtocol, IProcessTransport
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from hsadmin.engine.child import IChildReactor


@implementer(IProcessTransport)
class FakeProcess:
    """One spawned child. `deaf` to signals until told otherwise: a test says `exit` when the real one would."""

    def __init__(self, reactor: ProcessReactor, protocol: IProcessProtocol, pid: int, spawned: tuple[Any, ...]) -> None:
        self.executable, self.args, self.env, self.extra = spawned
        self.pid: int | None = pid
        self.proto = protocol
        self.signals: list[tuple[float, str]] = []
        self.stdin_open = True
        self.lost = False
        self._reactor = reactor
        self._reason: Failure | None = None

    # — the test plays the child —

    def out(self, data: bytes) -> None:
        self.proto.childDataReceived(1, data)

    def err(self, data: bytes) -> None:
        self.proto.childDataReceived(2, data)

    def exit(self, status: int = 0, *, killed: int | None = None, pipes_stay: bool = False) -> None:
        """Ends by `status` or by the signal `killed`; with `pipes_stay` somebody else holds its pipes open until `close_pipes`."""
        self.pid = None
        self._reason = Failure(ProcessTerminated(None if killed else status, killed, None) if status or killed else ProcessDone(0))
        self.proto.processExited(self._reason)
        if not pipes_stay:
            self.close_pipes()

    def close_pipes(self) -> None:
        assert self._reason is not None
        self.proto.processEnded(self._reason)

    @property
    def names(self) -> list[str]:
        return [name for _when, name in self.signals]

    # — IProcessTransport —

    def signalProcess(self, signalID: str | int) -> None:
        if self.pid is None:
            raise ProcessExitedAlready
        self.signals.append((self._reactor.seconds(), str(signalID)))
        if signalID == "KILL":
            self._reactor.callLater(0, self.exit, killed=signal.SIGKILL)

    def closeStdin(self) -> None:
        self.stdin_open = False

    def loseConnection(self) -> None:
        self.lost = True

    def closeStdout(self) -> None: ...
    def closeStderr(self) -> None: ...
    def closeChildFD(self, descriptor: int) -> None: ...
    def writeToChild(self, childFD: int, data: bytes) -> None: ...
    def write(self, data: bytes) -> None: ...
    def writeSequence(self, data: Any) -> None: ...
    def getPeer(self) -> Any: ...
    def getHost(self) -> Any: ...


@implementer(IChildReactor)
class ProcessReactor(Clock):
    """A Clock with `spawnProcess`. `refuse`: the OSError that the next spawns raise."""

    def __init__(self) -> None:
        Clock.__init__(self)
        self.spawned: list[FakeProcess] = []
        self.refuse: OSError | None = None

    @property
    def child(self) -> FakeProcess:
        """The last one spawned."""
        return self.spawned[-1]

    def spawnProcess(  # noqa: PLR0917 - Twisted's signature
        self,
        processProtocol: IProcessProtocol,
        executable: bytes | str,
        args: Sequence[bytes | str] = (),
        env: Mapping[Any, Any] | None = None,
        path: Any = None,
        uid: int | None = None,
        gid: int | None = None,
        usePTY: bool = False,
        childFDs: Any = None,
    ) -> IProcessTransport:
        if self.refuse is not None:
            raise self.refuse
        extra = {"path": path, "uid": uid, "gid": gid, "usePTY": usePTY, "childFDs": childFDs}
        process = FakeProcess(self, processProtocol, 4_000_000 + len(self.spawned), (executable, tuple(args), env, extra))
        self.spawned.append(process)
        processProtocol.makeConnection(process)
        return process
