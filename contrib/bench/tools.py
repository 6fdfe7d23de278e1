"""What is built or fetched before anything is measured: our Go programs, Debian's nginx, a certificate."""

from __future__ import annotations

import datetime
import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import bootstrap
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hsadmin" / "bench"
NAME = "front.test"
GO_PROGRAMS = ("upstream", "loadgen", "goproxy")


class Programs(NamedTuple):
    upstream: Path
    loadgen: Path
    goproxy: Path


def go_programs(*names: str) -> Programs:
    """Builds what is not yet built from the present source. Raises SystemExit where there is no Go."""
    digest = hashlib.sha256()
    for path in sorted(HERE.rglob("*.go")):
        digest.update(path.relative_to(HERE).as_posix().encode() + path.read_bytes())
    folder = CACHE / digest.hexdigest()[:16]
    missing = [name for name in names or GO_PROGRAMS if not (folder / name).exists()]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        bootstrap.say(f"Building {', '.join(missing)}")
        for name in missing:
            draft = folder / f".{name}.{os.getpid()}"
            bootstrap.run(bootstrap.go(), "-C", HERE, "build", "-trimpath", "-o", draft, f"./{name}")
            draft.replace(folder / name)
    return Programs(*(folder / name for name in GO_PROGRAMS))


def nginx() -> Path | None:
    """nginx: the installed one, or Debian's, unpacked into our cache: nothing is installed, so nothing can be started or left behind."""
    installed = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin")
    cached = CACHE / "nginx"
    if installed is None and not cached.exists() and shutil.which("apt-get") and shutil.which("dpkg-deb"):
        _unpack_nginx(cached)
    program = Path(installed) if installed else cached
    return program if program.exists() and _runs(program, "-v") else None


def _unpack_nginx(target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:

        def done(*command: str) -> bool:
            return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0

        if not done("apt-get", "download", "nginx") and os.geteuid() == 0:
            done("apt-get", "update", "-qq")
            done("apt-get", "download", "nginx")
        for package in Path(folder).glob("*.deb"):
            done("dpkg-deb", "-x", str(package), "unpacked")
        found = Path(folder, "unpacked", "usr", "sbin", "nginx")
        if found.exists():
            shutil.copy2(found, target)


def _runs(program: Path, argument: str) -> bool:
    try:
        return subprocess.run([program, argument], capture_output=True, timeout=10, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def version_of(*command: str | Path) -> str:
    """The first line it says; "" when it cannot be asked."""
    try:
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (done.stdout or done.stderr).strip().partition("\n")[0]


def certificate(folder: Path) -> tuple[Path, Path]:
    """A P-256 certificate for NAME that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    key_file.chmod(0o600)
    return cert_file, key_file
