"""python3 -m krait: the command krait."""

import sys

from .command import main

sys.exit(main())
