"""`lamina help examples`: what each command is used for."""

from __future__ import annotations

from collections.abc import Iterable

from lamina.commands.parser import Command, tasks_text


def show(commands: Iterable[Command]) -> int:
    """Print a line for each task of each command; returns the exit status."""
    for number, command in enumerate(commands):
        text = tasks_text([(command.example, command.summary), *command.tasks()])
        print(text if number else text.lstrip("\n"))
    return 0
