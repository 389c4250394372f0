"""The production topology on this machine's loopback interface, from local binaries.

`scripts/stack` is the command line. All that belongs to one stack (data, logs, ports, passwords) is
in one state folder, so several stacks run side by side. Linux only.
"""
