"""Where the time of an archive goes: each step with all before it, one process, and what it adds."""

from __future__ import annotations

from attrs import frozen

from bench.measure import Command, Series, Setting, in_turn

STEPS = {
    "start and walk": "{steps} walk {recipe}",
    "headers and read": "{steps} read {recipe}",
    "hash": "{steps} hash {recipe}",
    "write": "{steps} write {recipe} {out}",
    "wait for the disk": "{lamina} build {recipe} -o {out}",
}


@frozen
class Share:
    """A step's own seconds: what it takes with all before it, less what these take."""

    step: str
    seconds: float
    until: Series


def shares(setting: Setting, times: int) -> list[Share]:
    commands = {step: Command(f"taskset -c 0 {text}") for step, text in STEPS.items()}
    found = in_turn(commands, setting, times, cold=True)
    before = 0.0
    result = []
    for step, until in found.items():
        result.append(Share(step, until.median - before, until))
        before = until.median
    return result
