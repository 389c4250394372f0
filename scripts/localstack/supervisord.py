"""`python -m localstack.supervisord CONFIGURATION`: becomes supervisord.

It is made the one that orphans among its descendants are handed to, so that nothing which a killed
parent leaves behind stays a zombie, whatever process number 1 is here.
"""

import ctypes
import os
import resource
import sys
from typing import NoReturn

PR_SET_CHILD_SUBREAPER = 36
OPEN_FILES = 65536


def main(configuration: str) -> NoReturn:
    """Both settings outlive the exec."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if most == resource.RLIM_INFINITY else min(most, OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
    module = ("-m", "supervisor.supervisord", "--configuration", configuration)
    os.execv(sys.executable, (sys.executable, *module))


if __name__ == "__main__":
    main(sys.argv[1])
