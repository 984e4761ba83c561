"""What is done before this process ends: when it exits, also of an exception, and when SIGTERM ends it.

Nothing is done before a `kill -9`. SIGTERM is looked at only where nobody else does, and ends the process
as ever; but Python looks at it in the main thread only, which may be in a long call of a library in C first.
"""

from __future__ import annotations

import _thread
import atexit
import os
import signal
import threading
from collections.abc import Callable

LONGEST_S = 1.0
"""How long SIGTERM is held up at most, once Python looks at it."""

_DUTIES: list[Callable[[], object]] = []


def before_the_end(duty: Callable[[], object]) -> None:
    """Have something done, in any thread, before this process ends."""
    _DUTIES.append(duty)
    in_main = threading.current_thread() is threading.main_thread()  # elsewhere Python takes no handlers
    if in_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminated)


def no_longer(duty: Callable[[], object]) -> None:
    """Leave it undone; it was done already."""
    if duty in _DUTIES:
        _DUTIES.remove(duty)


@atexit.register
def _do_all() -> None:
    for duty in tuple(_DUTIES):
        duty()


def _terminated(number: int, _: object) -> None:
    """Do all in another thread, for the signal may have come while this one held a lock; then end by it."""
    done = _thread.allocate_lock()  # plain ones: those of `threading` may be held by what was interrupted
    done.acquire()

    def do() -> None:
        try:
            _do_all()
        finally:
            done.release()

    _thread.start_new_thread(do, ())
    done.acquire(timeout=LONGEST_S)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
