"""nginx and pigz, for the bench of the registry: the installed ones, or unpacked from their packages."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.measure import STATE
from tests.support.consumers.base import answers, daemon, free_port

CONFIG = """\
daemon off;
worker_processes auto;
pid {directory}/nginx.pid;
error_log {directory}/nginx.log;
events {{ worker_connections 256; }}
http {{
  sendfile on;
  access_log off;
  client_body_temp_path {directory}/nginx-body;
  proxy_temp_path {directory}/nginx-proxy;
  fastcgi_temp_path {directory}/nginx-fastcgi;
  uwsgi_temp_path {directory}/nginx-uwsgi;
  scgi_temp_path {directory}/nginx-scgi;
  server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""


def program(name: str) -> str | None:
    """The program, which is downloaded as Debian's package if it is not installed; None if it is not to be had."""
    path = f"{os.environ['PATH']}:/usr/sbin"
    if found := shutil.which(name, path=path):
        return found
    directory = STATE / "programs"
    target = directory / "usr/sbin" / name if name == "nginx" else directory / "usr/bin" / name
    if not target.exists():
        directory.mkdir(parents=True, exist_ok=True)
        try:
            words = ["apt-get", "download", "-qq", name]
            subprocess.run(words, cwd=directory, check=True, timeout=120, stderr=subprocess.DEVNULL)
            for package in directory.glob(f"{name}_*.deb"):
                subprocess.run(["dpkg", "-x", package, directory], check=True, timeout=60)
        except (OSError, subprocess.SubprocessError):
            return None
    return str(target) if target.exists() else None


@contextmanager
def nginx(root: Path, directory: Path) -> Iterator[int | None]:
    """The port on which nginx serves the files below `root`; None if there is no nginx."""
    found = program("nginx")
    if found is None:
        yield None
        return
    port = free_port()
    configuration = directory / "nginx.conf"
    configuration.write_text(CONFIG.format(directory=directory, port=port, root=root))
    words = [found, "-c", str(configuration), "-g", "user root;"]
    with daemon(words, directory, lambda: answers(port)):
        yield port
