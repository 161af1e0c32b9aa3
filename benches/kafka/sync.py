"""What the disk takes for a sync, measured beside what waits for one."""

import os
import statistics
import time


def micros(folder, count=1000, size=4096):
    """Microseconds at 50, 99 and 99.9 % of a write of 4 KiB and its fdatasync, one after another, into a file whose zeros
    are already on the disk: what a write-ahead log that prepares its files has to wait for at least."""
    path = os.path.join(folder, "sync-probe")
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        os.pwrite(file, bytes(count * size), 0)
        os.fsync(file)
        taken = [one(file, at * size, size) for at in range(count)]
    finally:
        os.close(file)
        os.unlink(path)
    cuts = statistics.quantiles(taken, n=1000, method="inclusive")
    return [cuts[499], cuts[989], cuts[998]]


def one(file, position, size):
    begin = time.monotonic_ns()
    os.pwrite(file, b"x" * size, position)
    os.fdatasync(file)
    return (time.monotonic_ns() - begin) / 1000
