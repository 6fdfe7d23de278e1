"""contrib/build, and what comes out of it. The backend is no package: its folder is put on the path, as a build tool does (backend-path)."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "contrib" / "build"))
