"""Ctrl-C: one line, exit status 130, and never a traceback.

Only the program installs handlers (`lamina/__main__.py`); `main` called from elsewhere leaves the caller's alone. This
module is imported first, so it imports next to nothing.
"""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

STATUS = 130
"""128 and the number of SIGINT, as shells count."""


def install() -> None:
    """Let Ctrl-C end the program at once, unless SIGINT is ignored, as in the background of a shell."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _exit)


def exit_on_interrupt() -> None:
    """From now on, Ctrl-C ends the program at once again, because the command has finished."""
    if signal.getsignal(signal.SIGINT) is _raise:
        signal.signal(signal.SIGINT, _exit)


def raise_on_interrupt() -> None:
    """From now on, the first Ctrl-C raises KeyboardInterrupt, so that contexts clean up. A second one exits at once."""
    if signal.getsignal(signal.SIGINT) is _exit:
        signal.signal(signal.SIGINT, _raise)
        sys.unraisablehook = _unraisable


def _exit(*_: object) -> None:
    os.write(2, b"lamina: interrupted\n")
    os._exit(STATUS)


def _raise(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGINT, _exit)
    raise KeyboardInterrupt


def _unraisable(problem: sys.UnraisableHookArgs) -> None:
    """Python drops an exception in a destructor. If that was the KeyboardInterrupt, there is no other."""
    if issubclass(problem.exc_type, KeyboardInterrupt):
        _exit()
    sys.__unraisablehook__(problem)
