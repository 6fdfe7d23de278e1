"""What `hsadmin check` looks at on this machine. Looking leaves no trace: what is opened is closed, what must be made at a start is not made."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from hsadmin.certificates.files import Files
from hsadmin.certificates.pair import check_validity
from hsadmin.config import Config, Kind, Listen, TlsMode
from hsadmin.engine.trust import TrustRecord
from hsadmin.engine.yamlfile import YamlFile
from hsadmin.errors import CertificateProblem, Problem, SettingsProblem
from hsadmin.model.engine import Trust
from hsadmin.model.layout import LONGEST_SOCKET_PATH, Layout, socket_path_bytes

WORDS = {
    errno.EADDRINUSE: "another program listens there",
    errno.EACCES: "this user may not; ports below 1024 need CAP_NET_BIND_SERVICE, or a socket that systemd passes",
    errno.EPERM: "this user may not",
    errno.EADDRNOTAVAIL: "this machine has no such address",
}


class Finding(NamedTuple):
    good: bool
    sentence: str


def running(config: Config) -> bool:
    """Whether an hsadmin runs on this work directory: somebody answers on its local socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(os.fspath(Layout(config.work_dir).admin_socket))
        except BlockingIOError:
            return True  # its queue is full, so there is one
        except OSError:
            return False
        return True


def work_dir(config: Config) -> Iterable[Finding]:
    layout = Layout(config.work_dir)
    for path in layout.sockets:
        if socket_path_bytes(path) > LONGEST_SOCKET_PATH:
            yield Finding(False, f"{path} is too long for a Unix socket: at most {LONGEST_SOCKET_PATH} bytes. Choose a shorter work_dir.")
            break
    root = layout.root
    if root.is_symlink():
        yield Finding(False, f"The work directory {root} is a symbolic link; name the folder that it leads to.")
    elif root.is_dir() and root.stat().st_mode & 0o077 and not layout.lock.exists() and any(root.iterdir()):
        yield Finding(False, f"The work directory {root} is open to others and holds other things; hsadmin needs a folder of its own.")
    elif root.is_dir():
        good = os.access(root, os.W_OK | os.X_OK)
        yield Finding(good, f"the work directory {root} is there" if good else f"The work directory {root} is not writable for this user.")
    elif root.exists():
        yield Finding(False, f"The work directory {root} is not a directory.")
    else:
        above = next(parent for parent in root.parents if parent.exists())
        good = above.is_dir() and os.access(above, os.W_OK | os.X_OK)
        yield Finding(
            good, f"the work directory {root} can be made" if good else f"The work directory {root} cannot be made below {above}."
        )


def listeners(config: Config) -> Iterable[Finding]:
    server = config.server
    ours = running(config)
    if ours:
        yield Finding(True, "hsadmin is running on this work directory, and has its listeners open")
    for key, each in (("listen", server.listen), ("redirect_listen", server.redirect_listen), ("local_listen", server.local_listen)):
        for listen in each:
            fault = "" if ours else _fault(listen)
            if fault:
                yield Finding(False, f"server.{key}: cannot listen on {listen.address}: {fault}.")
            elif not ours:
                yield Finding(True, f"{listen.address} can be listened on")


def _fault(listen: Listen) -> str:
    """Why it cannot be listened on, "" when it can; what systemd passes is only there when systemd starts us."""
    if listen.kind is Kind.SYSTEMD:
        return ""
    if listen.path is not None:
        return _unix_fault(listen.path)
    family = socket.AF_INET6 if listen.kind is Kind.TCP6 else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((listen.interface, listen.port))
            probe.listen(1)
    except OSError as failed:
        return WORDS.get(failed.errno or 0) or failed.strerror or str(failed)
    return ""


def _unix_fault(path: Path) -> str:
    """Without making the file: whether its place is good, and nobody answers there."""
    if socket_path_bytes(path) > LONGEST_SOCKET_PATH:
        return f"the path is too long for a Unix socket, at most {LONGEST_SOCKET_PATH} bytes"
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return f"{path.parent} is not there, or not writable for this user"
    if path.exists() and not path.is_socket():
        return "there is something that is not a socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(os.fspath(path))
        except OSError:
            return ""
    return WORDS[errno.EADDRINUSE]


def certificate(config: Config) -> Iterable[Finding]:
    tls = config.tls
    if tls.mode is TlsMode.OFF:
        return
    if tls.mode is TlsMode.FILES and tls.cert is not None and tls.key is not None:
        source = Files(tls.cert, tls.key)
    else:
        folder = Layout(config.work_dir).tls
        source = Files(folder / "server.pem", folder / "server.key")
        if not (folder / "server.pem").exists():
            yield Finding(True, f"a self-signed authority and certificate will be made in {folder} at the first start")
            return
    try:
        pair = source.load()
        check_validity(pair, datetime.now(UTC))
    except CertificateProblem as problem:
        yield Finding(False, problem.sentence)
        return
    missing = sorted(config.server.hosts - {name.lower() for name in pair.names})
    wildcards = {name[1:].lower() for name in pair.names if name.startswith("*.")}
    missing = [host for host in missing if host[host.find(".") :] not in wildcards]
    if missing and tls.mode is TlsMode.FILES:
        yield Finding(False, f"{pair.origin} is for {', '.join(pair.names) or 'no name'}, and not for {', '.join(missing)}.")
    else:
        yield Finding(True, f"{pair.origin}: for {', '.join(pair.names)}, until {pair.ends:%Y-%m-%d}")


def trusted(config: Config) -> tuple[list[str], list[str]]:
    """One line for each thing believed because it was there first, and the faults met in finding out."""
    layout, lines, faults = Layout(config.work_dir), [], []
    try:
        for accepted in TrustRecord(layout.trust).all():
            if accepted.trust is Trust.FIRST_USE:
                when = datetime.fromtimestamp(accepted.at, UTC)
                lines.append(
                    f"headscale {accepted.version}, {accepted.place}, SHA-256 {accepted.sha256}, accepted {when:%Y-%m-%d %H:%M} UTC"
                )
    except Problem as problem:
        faults.append(problem.sentence)
    if config.tls.mode is TlsMode.SELF_SIGNED and (layout.tls / "ca.pem").exists():
        lines.append(f"our own certificate authority, {layout.tls / 'ca.pem'}: devices that join must be told to trust it")
    return lines, faults


def settings(config: Config) -> Iterable[Finding]:
    """headscale.yaml, where there is one by now."""
    file = YamlFile(Layout(config.work_dir).headscale_yaml)
    try:
        if file.remembered():
            yield Finding(True, f"{file.path} can be read")
    except SettingsProblem as problem:
        yield Finding(False, problem.sentence)
