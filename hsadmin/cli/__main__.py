"""`python -m hsadmin.cli`, for where the script is not on the path."""

import sys

from hsadmin.cli.main import main

sys.exit(main())
