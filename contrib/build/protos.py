"""Makes hsadmin/headscale/pb/ from proto/headscale.proto: message classes and their types for mypy.

Called by the build backend for every kind of build, and by `contrib/test`; nothing generated is tracked, so what runs is always what the
.proto says. Only messages are made. Calls go through `channel.unary_unary` and a table of ours (hsadmin/headscale/methods.py), which spares
generated stubs with their absolute imports and their own gate on grpcio's version.

A digest of what went in (the .proto, this file, the compiler's version) stands beside the result; when it still fits, nothing is done.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

SOURCE = Path("proto/headscale.proto")
PACKAGE = Path("hsadmin/headscale/pb")
STAMP = "source.sha256"
MADE = ("__init__.py", "headscale_pb2.py", "headscale_pb2.pyi")
INIT = '"""Made from proto/headscale.proto by contrib/build/protos.py; not tracked, not to be edited."""\n'
UNTYPED = '# mypy: disable-error-code="type-arg"\n'  # protoc writes a bare Mapping for each message in an argument


def compile_protos(root: Path) -> None:
    """Brings `root`/hsadmin/headscale/pb up to date. Raises RuntimeError with the compiler's words already on stderr."""
    target = root / PACKAGE
    digest = _digest(root / SOURCE)
    if _fresh(target, digest):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".pb-", dir=target.parent))
    try:
        _run_protoc(root / SOURCE, work)
        (work / "__init__.py").write_text(INIT)
        types = work / "headscale_pb2.pyi"
        types.write_text(UNTYPED + types.read_text())
        (work / STAMP).write_text(digest + "\n")
        target.mkdir(exist_ok=True)
        # The stamp goes last: a build that is cut short in the middle is done again.
        for name in (*MADE, STAMP):
            (work / name).replace(target / name)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _digest(source: Path) -> str:
    parts = (source.read_bytes(), Path(__file__).read_bytes(), version("grpcio-tools").encode())
    return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def _fresh(target: Path, digest: str) -> bool:
    try:
        return (target / STAMP).read_text().strip() == digest and all((target / name).is_file() for name in MADE)
    except OSError:
        return False


def _run_protoc(source: Path, out: Path) -> None:
    from grpc_tools import protoc  # type: ignore[import-untyped]  # noqa: PLC0415 - a build requirement, absent where nothing needs making

    well_known = Path(os.path.dirname(protoc.__file__)) / "_proto"
    arguments = ["protoc", f"-I{source.parent}", f"-I{well_known}", f"--python_out={out}", f"--pyi_out={out}", str(source)]
    if protoc.main(arguments) != 0:
        raise RuntimeError(f"{source} does not compile: see above")


if __name__ == "__main__":
    compile_protos(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[2])
