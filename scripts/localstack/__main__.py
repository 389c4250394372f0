"""`python -m localstack`: the command line, in a process of its own."""

import os
import sys

from localstack.cli import main

# Some services run as users of their own and must reach what is made for them here.
os.umask(0o022)
sys.exit(main())
