"""Errors, each as one line: which file or option, what is wrong, what to do."""

from __future__ import annotations

from lamina.limits import ERROR_TEXT


def printable(text: str) -> str:
    """The text with escapes in place of characters that could control a terminal or end the line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)


def shortened(text: str) -> str:
    """The text without its middle if it is too long to read, as names from input may be."""
    half = ERROR_TEXT // 2
    return text if len(text) <= ERROR_TEXT else f"{text[:half]}[...]{text[-half:]}"


class LaminaError(Exception):
    """Base of all errors of Lamina, for a user to understand and to act on.

    `where` names the file, option or parameter, `what` says what is wrong there, and `remedy` what to do, if anything.
    As text it is one line of printable characters. `exit_status` is the exit status of the command: 1 for bad input,
    2 for bad usage.
    """

    exit_status = 1

    def __init__(self, where: object, what: str, remedy: str = "") -> None:
        self.where = str(where)
        self.what = what
        self.remedy = remedy
        parts = [shortened(part) for part in (self.where, what, remedy)]
        line = f"{parts[0]}: {parts[1]}; {parts[2]}" if remedy else f"{parts[0]}: {parts[1]}"
        super().__init__(printable(line))

    def __reduce__(self) -> tuple[type[LaminaError], tuple[str, str, str]]:
        """Pickle the error as its arguments, so that it can be sent from one process to another."""
        return type(self), (self.where, self.what, self.remedy)


class BadInput(LaminaError):
    """A file, a store path or a recipe is missing, corrupt, or not of the expected kind."""


class BadUsage(LaminaError):
    """The options of a command, or the arguments of a function, are unknown or contradict each other."""

    exit_status = 2


class ScriptFailed(LaminaError):
    """A user's script failed. Its exit status becomes that of the command."""

    def __init__(self, where: object, status: int) -> None:
        super().__init__(
            where,
            f"the script failed with exit status {status}",
            "its output is above; `set -x` in its first line shows each command",
        )
        self.exit_status = status

    def __reduce__(self) -> tuple[type[ScriptFailed], tuple[str, int]]:  # type: ignore[override]
        return type(self), (self.where, self.exit_status)
