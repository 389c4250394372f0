"""`python -m localstack`: the command line, in a process of its own."""

import sys

from localstack.cli import main

sys.exit(main())
