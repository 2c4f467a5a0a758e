"""The side of a contender of `turns.py`: it works when it is told to, and says how long it took.

Programs of other environments import this file: it needs the standard library alone.
"""

import json
import sys
import time
from collections.abc import Callable

READY = "ready"


def take_turns(work: Callable[[], float], seconds: float = 1.5) -> None:
    """Works once per line of the standard input, and prints how many units took how long.

    Args:
      work: does something and returns the number of units of it, such as images. Its first call is
        not timed: it builds what later calls use.
      seconds: the least length of a turn; `work` is called until then.
    """
    work()
    print(READY, flush=True)
    for _ in sys.stdin:
        begun, passed, count = time.perf_counter(), 0.0, 0.0
        while passed < seconds:
            count += work()
            passed = time.perf_counter() - begun
        print(json.dumps({"count": count, "seconds": passed}), flush=True)
