"""What can go wrong, as one line: which file, what is wrong, what to do."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text with everything that could steer a terminal, or end a line, written as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)


class LaminaError(Exception):
    """An error that a user can understand and act on; `exit_status` is the process' exit status."""

    exit_status = 1

    def __init__(self, where: object, what: str, remedy: str = "") -> None:
        self.where = str(where)
        self.what = what
        self.remedy = remedy
        line = f"{self.where}: {what}; {remedy}" if remedy else f"{self.where}: {what}"
        super().__init__(printable(line))

    def __reduce__(self) -> tuple[type[LaminaError], tuple[str, str, str]]:
        """From one process to another it goes as what it was made of."""
        return type(self), (self.where, self.what, self.remedy)


class BadInput(LaminaError):
    """A file, a store path or a recipe is not what it should be."""


class BadUsage(LaminaError):
    """The command, or a function's arguments, make no sense together."""

    exit_status = 2
