"""Runs Skopeo, which makes all requests to registries, with its own configuration, credentials and proxies."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import IO

import attrs

from lamina.errors import BadInput, LaminaError
from lamina.limits import DOCUMENT_BYTES, ERROR_BYTES
from lamina.oci.reference import FILE_TRANSPORTS, STORE_TRANSPORTS, Reference, make_reference

_TIMEOUT = 300
"""Seconds for a manifest. Copying has no time limit."""

_FATAL = re.compile(r'level=fatal msg="((?:[^"\\]|\\.)*)"')
_ABOUT = re.compile(r'^(?:Error parsing|initializing source|trying to reuse) [^":]*"?docker://[^"\s]*"?: ')
"""The beginning of a message, which repeats the name."""

_MISSING = re.compile(r"manifest unknown|name unknown|not found|StatusCode: 404|\b404\b", re.IGNORECASE)
_NO_ANSWER = re.compile(
    r"dial tcp|no such host|connection refused|i/o timeout|x509:|tls:|HTTP response to HTTPS client|EOF"
    r"|status(?: ?code)?(?: from registry)?:? (?:5\d\d|429)\b|toomanyrequests|pinging container registry",
    re.IGNORECASE,
)

_REMEDIES = (
    (r"HTTP response to HTTPS client", "the registry has no TLS: turn the verification of TLS off"),
    (r"x509:|tls:", "give the certificate of its authority, or turn the verification of TLS off"),
    (
        r"unauthorized|authentication required|denied|\b40[13]\b",
        "log in with: skopeo login HOST, or give a file with credentials",
    ),
    (r"toomanyrequests|\b429\b", "wait, and push again"),
    (r"status(?: ?code)?(?: from registry)?:? 5\d\d\b", "the registry has a fault: push again later"),
    (r"no such host|dial tcp|connection refused|timeout", "check the name of the registry and the network"),
    (r"digest|does not match", "the registry changes what it stores: check what is in front of it"),
)


@attrs.frozen
class Access:
    """How Skopeo reaches a registry: its own options."""

    authfile: Path | None = None
    tls_verify: bool | None = None
    cert_dir: Path | None = None

    def words(self, prefix: str = "") -> list[str]:
        """The options; `prefix` is `dest-` for a copy."""
        words = [f"--authfile={self.authfile}"] if self.authfile else []
        if self.tls_verify is not None:
            words.append(f"--{prefix}tls-verify={'true' if self.tls_verify else 'false'}")
        return [*words, f"--{prefix}cert-dir={self.cert_dir}"] if self.cert_dir else words


def parse_destination(text: str) -> Reference:
    """`docker://HOST/NAME:TAG`, with or without `docker://`; the default tag is `latest`. Raises BadInput."""
    name = text.removeprefix("docker://")
    if "@" in name or "://" in name:
        raise BadInput(text, "is no place for an image", "write docker://HOST/NAME:TAG")
    if ":" in text and text.partition(":")[0] in (*FILE_TRANSPORTS, *STORE_TRANSPORTS):
        raise BadInput(text, "is no registry", "write docker://HOST/NAME:TAG; lamina convert writes files")
    base, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        base, tag = name, "latest"
    if base != base.lower():
        raise BadInput(text, "has upper case, which registries refuse", f"write {base.lower()}:{tag}")
    return make_reference(base, tag, text)


class RemoteFailure(LaminaError):
    """A registry refused, or did not answer. `is_missing`: it has no such manifest."""

    is_missing = False
    is_final = True
    """Whether other requests would fail too: there is no registry at that address."""


class Skopeo:
    """One run of Skopeo. It starts at once and runs in the background."""

    def __init__(self, *words: str, subject: str) -> None:
        self._subject = subject
        self._output = tempfile.TemporaryFile()  # noqa: SIM115
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            self._process = subprocess.Popen(
                ["skopeo", "--insecure-policy", *words],
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._errors,
            )
        except OSError:
            raise LaminaError("skopeo", "no such program", "install it, or: nix shell nixpkgs#skopeo") from None

    def result(self, timeout: float | None = None) -> bytes:
        """The output. Raises RemoteFailure."""
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.end()
            raise _failure(self._subject, f"no answer from the registry in {timeout:.0f} s (i/o timeout)") from None
        except BaseException:
            self.end()
            raise
        if status:
            raise _failure(self._subject, failure_reason(self._errors))
        if self._output.seek(0, os.SEEK_END) > DOCUMENT_BYTES:
            raise LaminaError(self._subject, f"a manifest of more than {DOCUMENT_BYTES} bytes", "it is no image")
        self._output.seek(0)
        return self._output.read()

    def end(self) -> None:
        """Stop it."""
        with contextlib.suppress(OSError):
            self._process.kill()
        self._process.wait()


def request_manifest(name: str, access: Access) -> Skopeo:
    """Start the request for the manifest or the index `HOST/NAME:TAG`."""
    return Skopeo("inspect", "--raw", *access.words(), f"docker://{name}", subject=name)


def received_manifest(question: Skopeo) -> bytes | None:
    """The manifest; None if the registry has none or refuses access. Raises RemoteFailure: there is no registry."""
    try:
        return question.result(_TIMEOUT)
    except RemoteFailure as error:
        if error.is_final:
            raise
        return None


def _failure(subject: str, reason: str) -> RemoteFailure:
    remedies = (text for pattern, text in _REMEDIES if re.search(pattern, reason, re.IGNORECASE))
    error = RemoteFailure(subject, reason, next(remedies, "check the name and the registry"))
    error.is_missing = bool(_MISSING.search(reason))
    error.is_final = bool(_NO_ANSWER.search(reason)) and not error.is_missing
    return error


def failure_reason(file: IO[bytes]) -> str:
    """Skopeo's own error: the message of its last fatal line."""
    file.seek(max(0, file.seek(0, os.SEEK_END) - ERROR_BYTES))
    text = file.read().decode(errors="replace").strip()
    if found := _FATAL.findall(text):
        message = str(found[-1])
        with contextlib.suppress(ValueError):
            message = str(json.loads(f'"{message}"'))
        return _ABOUT.sub("", message)
    return text.splitlines()[-1] if text else "failed without an error message"
