"""Finds objects left to the garbage collector, which hold memory until its next run."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def garbage(*kinds: type) -> Iterator[list[object]]:
    """Objects of these kinds left behind by the block; the list is filled at the block's end."""
    left: list[object] = []
    gc.collect()
    gc.disable()
    try:
        yield left
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        left += [each for each in gc.garbage if isinstance(each, kinds)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
