"""`python -m undeterred` is `undeterred`."""

import sys

from undeterred.cli.main import main

sys.exit(main())
