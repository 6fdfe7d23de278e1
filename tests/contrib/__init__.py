"""contrib/bench. Its scripts put contrib on the path; so do these tests."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "contrib"))
