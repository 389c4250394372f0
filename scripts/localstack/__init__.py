"""The production topology on this machine's loopback interface, from local binaries.

`scripts/stack` is its command line. Everything that a stack knows and owns (data, logs, ports,
passwords) is in one state folder, so several stacks run side by side. Linux only.
"""
