"""What hsadmin says: one line per event, JSON for machines or text for people, on standard output or in a file.

    {"time":"2026-11-23T19:00:00.123456Z","level":"info","namespace":"hsadmin.engine","message":"headscale is ready","pid":4711}

An event's own fields stand beside the four; a failure's traceback is one field of its line and goes nowhere else. Every line is redacted as
a whole, after encoding, so that no field, message or traceback is forgotten. A line that cannot be written (disk full, reader gone) is
counted, and the count is told with the next one that can: a log must never stop what it tells about.

`Logs` is a Twisted log observer and a service. Under twistd, `adopt` it before logging begins, or twistd prints every line a second time.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from twisted.application.service import Service
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogPublisher
from twisted.python.components import Componentized
from twisted.python.failure import Failure
from zope.interface import implementer

from hsadmin.errors import ConfigProblem
from hsadmin.model.front import AccessRecord
from hsadmin.system.redact import redact

STDOUT = 1
LEVELS = {"debug": LogLevel.debug, "info": LogLevel.info, "warning": LogLevel.warn, "error": LogLevel.error, "critical": LogLevel.critical}
_WORDS = {level: word for word, level in LEVELS.items()}
_RANK = {level: rank for rank, level in enumerate((LogLevel.debug, LogLevel.info, LogLevel.warn, LogLevel.error, LogLevel.critical))}
_CHATTY = ("twisted.internet", "twisted.web", "log_legacy")  # "Starting factory …" at every connection: information to nobody
_OURS = frozenset({"time", "level", "namespace", "message", "traceback"})
_SAID = frozenset({"text", "sentence", "line"})  # fields that are the message, or all of it but a prefix: not told twice
_LEGACY = frozenset({"system", "format", "isError", "failure", "why"})
_LONGEST = 16 * 1024  # characters of one field
_CONTROLS = {number: f"\\x{number:02x}" for number in (*range(32), *range(127, 160))} | {9: "\\t", 10: "\\n", 13: "\\r"}


class Line(NamedTuple):
    """An event, taken apart."""

    when: datetime
    level: str
    namespace: str
    message: str
    fields: Mapping[str, Any] = {}
    traceback: str = ""


@implementer(ILogObserver)
class Logs(Service):
    """`level` is the least that is written; access lines are not measured by it. `file` None is standard output, whatever print does."""

    name = "logs"

    def __init__(
        self,
        *,
        level: str = "info",
        format: str = "json",
        file: Path | None = None,
        redact: Callable[[str], str] = redact,
        now: Callable[[], float] = time.time,
        stdout: int = STDOUT,
    ) -> None:
        self._least = _RANK[LEVELS[level]]
        self._shape = _json_line if format == "json" else _text_line
        self._path = file
        self._redact = redact
        self._now = now
        self._stdout = stdout
        self._file: int | None = None
        self._early: list[Line] | None = None  # what twistd says before our start, when the file's folder may not be there yet
        self._lost = 0
        self._adopted = False
        self._lock = threading.Lock()  # events come from any thread

    # — coming and going —

    def adopt(self, application: Componentized) -> None:
        """Makes twistd use this observer instead of its own. To be called before twistd starts logging: from `setServiceParent`."""
        application.setComponent(ILogObserver, self)
        self._adopted = True
        self._early = None if self._path is None else []

    def startService(self) -> None:
        """Raises ConfigProblem when the file cannot be opened."""
        try:
            self._open()
        except OSError as fault:
            raise ConfigProblem(f"log.file {self._path} cannot be written: {fault.strerror}.") from None
        Service.startService(self)
        early, self._early = self._early, None
        for line in early or ():
            self._write(line)
        if not self._adopted:
            globalLogPublisher.addObserver(self)

    def stopService(self) -> None:
        Service.stopService(self)
        if not self._adopted:  # else twistd still has something to say
            globalLogPublisher.removeObserver(self)
            self._close()

    def reopen(self) -> None:
        """Writes to the path anew, which log rotation has moved away. If that fails, the old file goes on, and says so."""
        if self._path is None:
            return
        old, self._file = self._file, None
        try:
            self._open()
        except OSError as fault:
            self._file = old
            self.say("error", "hsadmin.system.logs", f"log.file {self._path} cannot be opened again: {fault.strerror}.")
            return
        if old is not None:
            os.close(old)

    # — lines —

    def __call__(self, event: LogEvent) -> None:
        level = event.get("log_level") or LogLevel.info
        namespace = str(event.get("log_namespace") or "")
        if level is LogLevel.info and namespace.startswith(_CHATTY) and "log_failure" not in event:
            level = LogLevel.debug
        if _RANK[level] < self._least:
            return
        failure = event.get("log_failure")
        traceback = failure.getTraceback() if isinstance(failure, Failure) else ""
        self._write(Line(_when(event.get("log_time")), _WORDS[level], namespace, formatEvent(event), _fields(event), traceback))

    def access(self, record: AccessRecord) -> None:
        """One finished request or tunnel."""
        fields = msgspec.structs.asdict(record)
        fields["seconds"] = round(record.seconds, 6)
        message = f"{record.peer} {record.method} {record.route} {record.status}"
        if self._shape is _text_line:
            message += f", {record.received} B in, {record.sent} B out, {record.seconds:.3f} s" + (
                f", {record.note}" if record.note else ""
            )
        self._write(Line(_when(self._now()), "info", "hsadmin.access", message, fields))

    def say(self, level: str, namespace: str, message: str) -> None:
        """A line past Twisted's logger."""
        self._write(Line(_when(self._now()), level, namespace, message))

    def terminal(self, text: str) -> None:
        """To standard output as it is: not redacted, in no file, in no format. For what a person who started us must read, and no log may keep."""
        with contextlib.suppress(OSError):  # nobody is there to read it
            _write_all(self._stdout, (text + "\n").encode(errors="backslashreplace"))

    # — bytes —

    def _write(self, line: Line) -> None:
        if self._early is not None:
            self._early.append(line)
            return
        data = self._encoded(line)
        with self._lock:
            try:
                if self._path is not None and self._file is None:
                    self._open()
                target = self._stdout if self._file is None else self._file
                if self._lost:
                    lost = f"{self._lost} lines could not be written."
                    _write_all(target, self._encoded(Line(_when(self._now()), "warning", "hsadmin.system.logs", lost)))
                    self._lost = 0
                _write_all(target, data)
            except OSError:
                self._lost += 1

    def _encoded(self, line: Line) -> bytes:
        return self._redact(self._shape(line)).encode(errors="backslashreplace") + b"\n"

    def _open(self) -> None:
        if self._path is not None and self._file is None:
            self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def json_lines() -> Logs:
    """For `twistd --logger hsadmin.system.logs.json_lines`."""
    logs = Logs()
    logs._adopted = True
    return logs


def _json_line(line: Line) -> str:
    told: dict[str, Any] = {"time": line.when, "level": line.level, "namespace": line.namespace, "message": line.message}
    for name, value in line.fields.items():
        told[f"{name}_" if name in _OURS else name] = value
    if line.traceback:
        told["traceback"] = line.traceback
    try:
        return msgspec.json.encode(told, enc_hook=_plain).decode()
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError):  # a lone surrogate, a key that is no text, an endless list
        return msgspec.json.encode(
            {_printable(name): value if name == "time" else _printable(value) for name, value in told.items()}
        ).decode()


def _text_line(line: Line) -> str:
    """Without the fields: the message has what a person needs of them."""
    when, message = line.when, line.message.translate(_CONTROLS)
    text = f"{when:%Y-%m-%d %H:%M:%S}.{when.microsecond // 1000:03}Z {line.level:8} {line.namespace}: {message}"
    return text + "".join("\n    " + part.translate(_CONTROLS) for part in line.traceback.rstrip().splitlines())


def _fields(event: LogEvent) -> dict[str, Any]:
    left_out = _LEGACY | {"message", "time"} if event.get("log_namespace") == "log_legacy" else _SAID
    return {name: _short(value) for name, value in event.items() if not name.startswith("log_") and name not in left_out}


def _short(value: Any) -> Any:
    return value[:_LONGEST] + "…" if isinstance(value, str) and len(value) > _LONGEST else value


def _plain(value: Any) -> str:
    """What JSON has no word for."""
    try:
        return str(value)[:_LONGEST]
    except Exception as fault:  # noqa: BLE001 - a line with a hole is better than none
        return f"<{type(value).__name__} that cannot be shown: {type(fault).__name__}>"


def _printable(value: Any) -> str:
    return _plain(value).encode(errors="backslashreplace").decode()


def _when(seconds: float | None) -> datetime:
    return datetime.fromtimestamp(time.time() if seconds is None else seconds, UTC)


def _write_all(target: int, data: bytes) -> None:
    while data:
        data = data[os.write(target, data) :]
