"""What can go wrong, as one line: which file, what is wrong, what to do."""

from __future__ import annotations

from lamina.limits import ERROR_TEXT


def printable(text: str) -> str:
    """The text with everything that could steer a terminal, or end a line, written as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)


def shortened(text: str) -> str:
    """The text, without its middle when that is longer than anybody reads: names come from input."""
    half = ERROR_TEXT // 2
    return text if len(text) <= ERROR_TEXT else f"{text[:half]}[...]{text[-half:]}"


class LaminaError(Exception):
    """An error that a user can understand and act on; `exit_status` is the process' exit status."""

    exit_status = 1

    def __init__(self, where: object, what: str, remedy: str = "") -> None:
        self.where = str(where)
        self.what = what
        self.remedy = remedy
        parts = [shortened(part) for part in (self.where, what, remedy)]
        line = f"{parts[0]}: {parts[1]}; {parts[2]}" if remedy else f"{parts[0]}: {parts[1]}"
        super().__init__(printable(line))

    def __reduce__(self) -> tuple[type[LaminaError], tuple[str, str, str]]:
        """From one process to another it goes as what it was made of."""
        return type(self), (self.where, self.what, self.remedy)


class BadInput(LaminaError):
    """A file, a store path or a recipe is not what it should be."""


class BadUsage(LaminaError):
    """The command, or a function's arguments, make no sense together."""

    exit_status = 2


class ScriptFailed(LaminaError):
    """A script of the user's ended with this exit status, which becomes the process' own."""

    def __init__(self, where: object, status: int) -> None:
        super().__init__(where, f"the script failed with exit status {status}", "its output is above")
        self.exit_status = status

    def __reduce__(self) -> tuple[type[ScriptFailed], tuple[str, int]]:  # type: ignore[override]
        return type(self), (self.where, self.exit_status)
