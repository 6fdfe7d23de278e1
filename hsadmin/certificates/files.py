"""The operator's certificate and key files."""

from __future__ import annotations

from pathlib import Path

from hsadmin.certificates.pair import Pair, parse
from hsadmin.errors import CertificateProblem

LARGEST = 1 << 20  # bytes; a chain of ten certificates is about 20 KiB


class Files:
    """Reads the pair at two paths; `fingerprint` changes when a file does."""

    def __init__(self, chain: Path, key: Path) -> None:
        self._chain = chain
        self._key = key

    def fingerprint(self) -> object:
        """What `stat` says of both files, links followed (renewal tools swap links); None for one that cannot be looked at."""
        return tuple(self._stat(path) for path in (self._chain, self._key))

    def load(self) -> Pair:
        """Raises CertificateProblem naming the file and the fault."""
        return parse(self._read(self._chain), self._read(self._key), chain_name=str(self._chain), key_name=str(self._key))

    @staticmethod
    def _stat(path: Path) -> tuple[int, int, int] | None:
        try:
            found = path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    @staticmethod
    def _read(path: Path) -> bytes:
        try:
            with path.open("rb") as file:
                content = file.read(LARGEST + 1)
        except OSError as fault:
            raise CertificateProblem(f"{path} cannot be read: {fault.strerror}.") from fault
        if len(content) > LARGEST:
            raise CertificateProblem(f"{path} is larger than 1 MiB, so it is not a certificate or key in PEM.")
        return content
