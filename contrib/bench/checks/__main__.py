"""Whether hsadmin's public port does what a front must, before any number counts.

python -m bench.checks [--workers N]

It starts hsadmin with a stand-in for headscale that remembers what reached it, and attacks and uses it as visitors and upstreams do.
One line a check that failed, one at the end; the exit status is 1 when any did.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from bench import tools
from bench.checks import answers, bodies, encryption, heads, tunnels
from bench.checks.visitor import Case
from bench.fronts import Place
from bench.processes import NotStarted, ended_by_signals, raise_file_limit
from bench.product import ROOT, Product

SUBJECTS = (heads, bodies, answers, tunnels, encryption)


def check(place: Place, *, workers: int, seed: int, source: Path = ROOT) -> int:
    """How many checks failed. Raises NotStarted."""
    random.seed(seed)
    began = time.monotonic()
    product = Product(place, workers=workers, source=source, journal=True)
    failed = count = 0
    try:
        case = Case(product)
        for subject in SUBJECTS:
            for name, row in subject.rows():
                count += 1
                product.journal()  # what an earlier check left belongs to that one
                try:
                    row(case)
                except Exception as fault:  # noqa: BLE001 - a front may break a check in any way; the others are still asked
                    failed += 1
                    print(f"FAIL {name}: {type(fault).__name__}: {fault}", flush=True)
        if product.readiness() != 200:
            failed += 1
            print(f"FAIL hsadmin is not well after all this:\n{product.log()}", flush=True)
    finally:
        product.stop()
    print(
        f"front.workers {workers}: {count - failed} of {count} checks passed in {time.monotonic() - began:.1f} s (seed {seed})", flush=True
    )
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(prog="check", description=__doc__.partition("\n")[0])
    parser.add_argument("--workers", type=int, default=None, help="front.workers; without it 0, and 1 where it is known")
    parser.add_argument("--seed", type=int, default=None, help="of the random pieces")
    parser.add_argument("--source", type=Path, default=ROOT, help="another tree of hsadmin, to be checked in place of this one")
    parser.add_argument("--python", help="an interpreter that has hsadmin's packages, in place of .venv's")
    options = parser.parse_args()
    seed = random.randrange(1 << 30) if options.seed is None else options.seed
    raise_file_limit(24_000)
    with ended_by_signals(), tempfile.TemporaryDirectory(prefix="hb-") as folder:
        place = Place(Path(folder), tools.go_programs("upstream"), None, tools.certificate(Path(folder)))
        failed = check(place, workers=options.workers or 0, seed=seed, source=options.source)
        if options.workers is None:
            try:
                failed += check(place, workers=1, seed=seed, source=options.source)
            except NotStarted as fault:
                print(f"front.workers 1: not checked: {fault}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
