"""``python -m wan22_app.cli`` is the same as ``wan22``."""

import sys

from wan22_app.cli.parser import main

sys.exit(main())
