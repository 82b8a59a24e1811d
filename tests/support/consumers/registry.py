"""A plain-http Docker registry on the loopback; skopeo pushes an archive into it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from attrs import frozen

from tests.support.consumers.base import (
    MANIFEST_TYPES,
    QUICK,
    ConsumerError,
    Form,
    Layout,
    Prefix,
    Refusing,
    Verb,
    answers,
    check,
    daemon,
    free_port,
    manifest_config,
    version_in,
)
from tests.support.consumers.skopeo import Skopeo

ONLY_KEEPS = "a registry only keeps images"


@frozen
class Registry(Refusing):
    """A running registry. Its names have no registry in front: `library/foo:1`."""

    port: int
    skopeo: Skopeo
    cannot: Mapping[Verb, str] = {"run": ONLY_KEEPS, "serve": ONLY_KEEPS, "save": ONLY_KEEPS}
    layouts: tuple[Layout, ...] = ("docker-archive",)
    saves: tuple[Form, ...] = ()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def version(self) -> str:
        return version_in(check([*self.skopeo.prefix, "docker-registry", "--version"]))

    def load(self, archive: Path) -> list[str]:
        """An image without a name has no place in a registry, so nothing is pushed for it."""
        names = [without_registry(name) for name in self.skopeo.listed(archive)]
        for name in names:
            self.skopeo.push(archive, self.address, name)
        return names

    def names(self) -> list[str]:
        found = []
        for repository in json.loads(self.ask("GET", "/v2/_catalog?n=1000")[1])["repositories"]:
            status, body, _ = self.answer("GET", f"/v2/{repository}/tags/list")
            # A repository whose last tag was removed stays in the catalogue, with null or with an error.
            tags = json.loads(body)["tags"] or [] if status == http.client.OK else []
            found += [f"{repository}:{tag}" for tag in tags]
        return sorted(found)

    def config_digest(self, name: str) -> str:
        repository, _, tag = name.rpartition(":")
        return self.config_behind(repository, tag)

    def config_behind(self, repository: str, reference: str) -> str:
        """`reference` is a tag or a digest."""
        read = lambda wanted: self.ask("GET", f"/v2/{repository}/manifests/{wanted}")[1]  # noqa: E731
        return manifest_config(read, reference)

    def config(self, name: str) -> bytes:
        repository = name.rpartition(":")[0]
        return self.ask("GET", f"/v2/{repository}/blobs/{self.config_digest(name)}")[1]

    def remove(self, name: str) -> None:
        """The registry removes by digest, so other tags of the same manifest go with this one."""
        repository, _, tag = name.rpartition(":")
        digest = self.ask("HEAD", f"/v2/{repository}/manifests/{tag}")[2]
        self.ask("DELETE", f"/v2/{repository}/manifests/{digest}")

    def ask(self, method: str, path: str) -> tuple[int, bytes, str]:
        status, body, digest = self.answer(method, path)
        if status >= http.client.BAD_REQUEST:
            raise ConsumerError(f"{method} {path}: {status} {body.decode(errors='replace')}")
        return status, body, digest

    def answer(self, method: str, path: str) -> tuple[int, bytes, str]:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=QUICK)) as connection:
            connection.request(method, path, headers={"Accept": ", ".join(MANIFEST_TYPES)})
            response = connection.getresponse()
            return response.status, response.read(), response.getheader("Docker-Content-Digest", "")


def without_registry(name: str) -> str:
    first, slash, rest = name.partition("/")
    return rest if slash and ("." in first or ":" in first or first == "localhost") else name


CONFIG = """\
version: 0.1
log: {{level: error}}
storage:
  filesystem: {{rootdirectory: {directory}/data}}
  delete: {{enabled: true}}
http: {{addr: "127.0.0.1:{port}"}}
"""


@contextmanager
def started(directory: Path, prefix: Prefix = ()) -> Iterator[Registry]:
    port = free_port()
    configuration = directory / "registry.yml"
    configuration.write_text(CONFIG.format(directory=directory, port=port))
    argv: list[str | Path] = ["docker-registry", "serve", configuration]
    with daemon(argv, directory, lambda: answers(port), prefix=prefix):
        yield Registry(port, Skopeo(directory, prefix))
