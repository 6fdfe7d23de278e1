"""From `tcp:8080:interface=127.0.0.1` to a listening socket of ours.

Forms, colons and backslashes in a value escaped by a backslash as in Twisted's endpoint strings:

    tcp:PORT[:interface=IPv4]            tcp6:PORT[:interface=IPv6]         IPv6 only: for both families give both lines
    unix:PATH[:mode=OCTAL]               systemd:name=NAME                  systemd:domain=INET|INET6|UNIX:index=N

Sockets are bound and listen here, before anything else of the front exists, so that a port that is taken ends the start with a sentence.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from twisted.python.systemd import ListenFDs

from hsadmin.errors import ListenFailed

BACKLOG = 4096
_PIECE = re.compile(r"(?:\\.|[^:\\])*")
_DOMAINS = {"INET": socket.AF_INET, "INET6": socket.AF_INET6, "UNIX": socket.AF_UNIX}


@dataclass(frozen=True, slots=True)
class ListenSpec:
    """A socket that listens already. `address` is as a person writes it; `purpose` is public, redirect or local.

    `shared`: other processes accept from it as well, so that the file of a Unix socket is not this one's to remove.
    """

    socket: socket.socket
    tls: bool
    purpose: str
    address: str
    shared: bool = False


class Inherited:
    """Sockets that systemd opened for us; made once, early: the environment is meant for one reader."""

    def __init__(self, environment: ListenFDs) -> None:
        self._by_index = environment.inheritedDescriptors()
        self._by_name = environment.inheritedNamedDescriptors()

    def descriptor(self, form: str, options: Mapping[str, str]) -> int:
        try:
            return self._by_name[options["name"]] if "name" in options else self._by_index[int(options["index"])]
        except (KeyError, IndexError, ValueError):
            given = ", ".join(self._by_name) or "none"
            raise ListenFailed(f"{form}: systemd passed no such socket (named ones: {given}). Is the .socket unit enabled?") from None


def bind(form: str, *, tls: bool, purpose: str, inherited: Inherited | None = None) -> ListenSpec:
    """Raises ListenFailed, whose sentence names the address and what is in the way."""
    kind, *arguments = _split(form)
    try:
        if kind in ("tcp", "tcp6"):
            sock = _bind_tcp(form, kind, *_port_and_options(form, arguments, allowed={"interface"}))
        elif kind == "unix":
            sock = _bind_unix(form, arguments)
        elif kind == "systemd":
            sock = _adopt(form, _options(form, arguments, allowed={"name", "domain", "index"}), inherited)
        else:
            raise ListenFailed(f"{form}: listeners begin with tcp:, tcp6:, unix: or systemd:.")
    except OSError as fault:
        raise ListenFailed(f"Cannot listen on {form}: {_why(fault)}", errno=fault.errno or 0) from fault
    return ListenSpec(sock, tls, purpose, address_of(sock))


def address_of(sock: socket.socket) -> str:
    name = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        return f"unix:{name}"
    return f"[{name[0]}]:{name[1]}" if sock.family == socket.AF_INET6 else f"{name[0]}:{name[1]}"


def _bind_tcp(form: str, kind: str, port: int, options: Mapping[str, str]) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if kind == "tcp6" else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if kind == "tcp6":
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        interface = options.get("interface", "").strip("[]")
        try:
            sock.bind((interface or ("::" if kind == "tcp6" else "0.0.0.0"), port))
        except socket.gaierror:
            raise ListenFailed(f"{form}: interface must be an address of this machine, not a name.") from None
        return _listen(sock)
    except BaseException:
        sock.close()
        raise


def _bind_unix(form: str, arguments: list[str]) -> socket.socket:
    if not arguments or not arguments[0]:
        raise ListenFailed(f"{form}: the path of the socket is missing.")
    path, options = arguments[0], _options(form, arguments[1:], allowed={"mode"})
    try:
        mode = int(options.get("mode", "600"), 8)
    except ValueError:
        raise ListenFailed(f"{form}: mode must be octal, such as 660.") from None
    _remove_stale(form, path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(path)
        os.chmod(path, mode)
        return _listen(sock)
    except BaseException as fault:
        sock.close()
        if isinstance(fault, OSError) and fault.errno is None:  # CPython's own check of the length
            raise ListenFailed(f"{form}: the path is longer than a Unix socket's may be (107 bytes).") from None
        raise


def _remove_stale(form: str, path: str) -> None:
    """A socket that nobody answers on is what a killed process left; anything else stays, and is a refusal."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise ListenFailed(f"{form}: there is something that is not a socket.")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            Path(path).unlink()
            return
    raise ListenFailed(f"Cannot listen on {form}: another program listens there.")


def _adopt(form: str, options: Mapping[str, str], inherited: Inherited | None) -> socket.socket:
    if "name" not in options and "index" not in options:
        raise ListenFailed(f"{form}: say which socket, by name=… or by domain=…:index=….")
    if inherited is None:
        raise ListenFailed(f"{form}: this process was not started by systemd with sockets.")
    sock = socket.socket(fileno=os.dup(inherited.descriptor(form, options)))
    domain = options.get("domain")
    if domain is not None and _DOMAINS.get(domain) != sock.family:
        sock.close()
        raise ListenFailed(f"{form}: the socket that systemd passed is not of domain {domain}.")
    try:
        return _listen(sock)
    except BaseException:
        sock.close()
        raise


def _listen(sock: socket.socket) -> socket.socket:
    sock.listen(BACKLOG)
    sock.setblocking(False)
    return sock


def _port_and_options(form: str, arguments: list[str], *, allowed: set[str]) -> tuple[int, Mapping[str, str]]:
    port = arguments[0].removeprefix("port=") if arguments else ""
    if not (port.isascii() and port.isdigit() and int(port) <= 65535):
        raise ListenFailed(f"{form}: a port from 0 to 65535 must follow the first colon.")
    return int(port), _options(form, arguments[1:], allowed=allowed)


def _options(form: str, arguments: list[str], *, allowed: set[str]) -> Mapping[str, str]:
    options = dict(argument.partition("=")[::2] for argument in arguments)
    for name in options:
        if name not in allowed:
            raise ListenFailed(f"{form}: {name!r} is not an option here; allowed: {', '.join(sorted(allowed))}.")
    return options


def _split(form: str) -> list[str]:
    """At colons that no backslash or bracket protects."""
    pieces, at = [], 0
    bracketed = re.sub(r"\[[0-9A-Fa-f:.%]*\]", lambda found: found[0].replace(":", "\\:"), form)
    while True:
        found = _PIECE.match(bracketed, at)
        assert found is not None
        pieces.append(re.sub(r"\\(.)", r"\1", found[0]))
        at = found.end() + 1
        if at > len(bracketed):
            return pieces


def _why(fault: OSError) -> str:
    match fault.errno:
        case errno.EADDRINUSE:
            return "another program listens there."
        case errno.EACCES | errno.EPERM:
            return "this user may not. Ports below 1024 need CAP_NET_BIND_SERVICE, or a socket that systemd passes."
        case errno.EADDRNOTAVAIL:
            return "this machine has no such address."
        case errno.ENOENT:
            return "the directory does not exist."
        case _:
            return f"{fault.strerror or fault}."
