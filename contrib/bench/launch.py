"""How `run` and `check` begin: the project's environment is brought, then the module goes on in it.

Only the standard library is used, since this runs before anything is installed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

CONTRIB = Path(__file__).resolve().parents[1]


def launch(module: str, arguments: list[str]) -> None:
    """Becomes `python -m MODULE ARGUMENTS`; `--python PROGRAM` names an interpreter that has hsadmin's packages, in place of .venv's."""
    sys.path.insert(0, str(CONTRIB))
    import bootstrap  # noqa: PLC0415 - its folder is on the path only now

    python = bootstrap.option(arguments, "--python", "")
    if not python:
        bootstrap.environment()
        python = str(bootstrap.PYTHON)
    os.environ["PYTHONPATH"] = str(CONTRIB)
    os.execv(python, [python, "-P", "-m", module, *arguments])
