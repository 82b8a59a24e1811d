"""What a command takes: its status, seconds of processor and megabytes."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import attrs

MEGABYTES = 300
SECONDS = 10

_MEASURED = """
import contextlib, http.client, json, os, signal, subprocess, sys, urllib.request
serves = "serve" in sys.argv
out = subprocess.PIPE if serves else subprocess.DEVNULL
process = subprocess.Popen([sys.executable, "-m", "lamina", *sys.argv[1:]], stdout=out)
line = process.stdout.readline() if serves else b""
if line:
    served = json.loads(line)
    get = lambda path: urllib.request.urlopen(served["url"] + "/v2/" + path).read()
    with contextlib.suppress(OSError, http.client.HTTPException):  # a wrong layer ends before its last byte
        for image in served["images"][:5]:
            name, _, tag = image.rpartition(":")
            manifest = json.loads(get(name + "/manifests/" + tag))
            for blob in {each["digest"] for each in [manifest["config"], *manifest["layers"]]}:
                get(name + "/blobs/" + blob)
    process.send_signal(signal.SIGINT)
_, status, used = os.wait4(process.pid, 0)
status = os.waitstatus_to_exitcode(status)
print(0 if line and status == 130 else status, used.ru_maxrss >> 10, used.ru_utime + used.ru_stime)
"""
"""Linux counts for a process what the one that started it had; so that one must be small, and not this one."""


@attrs.frozen
class Answer:
    """How a command ended, what it printed on its error output, and what it took."""

    status: int
    said: str
    megabytes: int
    seconds: float

    @property
    def fault(self) -> str:
        """What is wrong with it, or nothing."""
        if self.status not in (0, 1):
            return f"exit status {self.status}: {self.said[-300:]}"
        if "Traceback" in self.said:
            return self.said[-300:]
        if self.megabytes >= MEGABYTES or self.seconds >= SECONDS:
            return f"{self.megabytes} MB, {self.seconds:.1f} s: {self.said[:200]}"
        return ""


def answer_of(*arguments: object, directory: Path | None = None, environment: dict[str, str] | None = None) -> Answer:
    """Run `lamina`, which is killed when it uses the processor for twice as long as it may."""
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=600,
        cwd=directory,
        env={**os.environ, **(environment or {})},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (2 * SECONDS, 2 * SECONDS)),
    )
    status, megabytes, seconds = done.stdout.split()
    return Answer(int(status), done.stderr, int(megabytes), float(seconds))
