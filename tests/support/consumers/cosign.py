"""cosign: it signs what lies in a registry, with a key and without asking any service."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from tests.support.consumers import registry
from tests.support.consumers.base import HEAVY, Form, Layout, Prefix, Refusing, Verb, check, version_in
from tests.support.consumers.registry import Registry

ONLY_SIGNS = "cosign only signs images"
OFFLINE = ("--allow-http-registry", "--allow-insecure-registry")


@frozen
class Cosign(Refusing):
    """What is loaded is pushed and signed by digest; it prints a config's digest only for a signed image."""

    directory: Path
    registry: Registry
    prefix: Prefix = ()
    cannot: Mapping[Verb, str] = {"run": ONLY_SIGNS, "serve": ONLY_SIGNS, "save": ONLY_SIGNS}
    layouts: tuple[Layout, ...] = ("docker-archive",)
    saves: tuple[Form, ...] = ()

    def cosign(self, *words: str | Path) -> str:
        env = {"HOME": str(self.directory), "COSIGN_PASSWORD": ""}
        return check([*self.prefix, "cosign", *words], timeout=HEAVY, env=env)

    def version(self) -> str:
        """Debian's build calls itself "devel", but the root has a list of the packages that it was made of."""
        packages = check([*self.prefix, "cat", "/.packages"]).split()
        return version_in(next(package for package in packages if package.startswith("cosign_")))

    def generate_keys(self) -> None:
        self.cosign("generate-key-pair", "--output-key-prefix", self.directory / "cosign")

    def load(self, archive: Path) -> list[str]:
        names = self.registry.load(archive)
        for name in names:
            self.sign(self.by_digest(name))
        return names

    def sign(self, name: str) -> None:
        """`library/foo@sha256:...` in the registry."""
        key = self.directory / "cosign.key"
        place = f"{self.registry.address}/{name}"
        self.cosign("sign", "--yes", "--key", key, *self.without_service(), *OFFLINE, place)

    def without_service(self) -> tuple[str, ...]:
        """From 3 on a service is asked, unless the configuration that names it is refused too."""
        newer = int(self.version().partition(".")[0]) >= 3
        return ("--tlog-upload=false", *(("--use-signing-config=false",) if newer else ()))

    def by_digest(self, name: str) -> str:
        """A tag may have moved by the time that the signature is there."""
        repository, _, tag = name.rpartition(":")
        return f"{repository}@{self.registry.ask('HEAD', f'/v2/{repository}/manifests/{tag}')[2]}"

    def verified(self, name: str) -> str:
        """The digest of the manifest that was signed."""
        key = self.directory / "cosign.pub"
        words = ("verify", "--key", key, "--insecure-ignore-tlog", "--output", "json", *OFFLINE)
        signatures = json.loads(self.cosign(*words, f"{self.registry.address}/{self.by_digest(name)}"))
        [digest] = {signature["critical"]["image"]["docker-manifest-digest"] for signature in signatures}
        return str(digest)

    def names(self) -> list[str]:
        """The signatures lie in the registry too, as images under tags of their own."""
        return [name for name in self.registry.names() if not name.endswith(".sig")]

    def config_digest(self, name: str) -> str:
        return self.registry.config_behind(name.rpartition(":")[0], self.verified(name))

    def remove(self, name: str) -> None:
        self.registry.remove(name)


@contextmanager
def started(directory: Path, prefix: Prefix = ()) -> Iterator[Cosign]:
    with registry.started(directory, prefix) as keeper:
        consumer = Cosign(directory, keeper, prefix)
        consumer.generate_keys()
        yield consumer
