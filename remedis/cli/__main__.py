"""`python -m remedis.cli`."""

import sys

from remedis.cli import main

sys.exit(main())
