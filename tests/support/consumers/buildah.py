"""buildah: images on a store of its own, run in working containers by runc."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import frozen

from tests.support.consumers.base import (
    HEAVY,
    QUICK,
    Completed,
    Form,
    Layout,
    Prefix,
    Verb,
    check,
    in_background,
    require_free,
    unique,
    wait_for_service,
)
from tests.support.consumers.podman import OnStorage
from tests.support.consumers.skopeo import opened_tar

# What buildah adds to the errors of a command that fails.
OWN_WORDS = re.compile(r"Error: (?:while running runtime: )?exit status \d+\n$")


@frozen
class Buildah(OnStorage):
    """buildah takes one image out of an archive, under all the names that the archive gives it."""

    directory: Path
    prefix: Prefix = ()
    cannot: Mapping[Verb, str] = {}
    layouts: tuple[Layout, ...] = ("docker-archive", "oci-layout")
    saves: tuple[Form, ...] = ("docker-archive", "oci-archive")

    def program(self, *words: str | Path) -> list[str | Path]:
        where = ("--root", self.directory / "root", "--runroot", self.directory / "run")
        return [*self.prefix, "buildah", *where, "--storage-driver", "overlay", *words]

    def load(self, archive: Path) -> list[str]:
        """The names of its image that are in the archive: it may have had others from before."""
        image_id = self.check("pull", "--quiet", f"docker-archive:{archive}", timeout=HEAVY).strip()
        names = [name for image in self.images() if image["id"] == image_id for name in image.get("names") or []]
        tags = repo_tags(archive)
        return [name for name in dict.fromkeys(names) if name in tags or familiar(name) in tags] or [image_id]

    def images(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.check("images", "--json", "--no-trunc"))
        # One entry for each name or one for all of them, depending on the version.
        return [{**image, "id": image["id"].removeprefix("sha256:")} for image in found or []]

    def names(self) -> list[str]:
        return sorted({name for image in self.images() for name in image.get("names") or []})

    def inspected(self, name: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.check("inspect", "--type", "image", name))
        return document

    def config_digest(self, name: str) -> str:
        return f"sha256:{self.inspected(name)['FromImageID']}"

    def run(self, name: str, argv: Sequence[str] | None = None, timeout: float = QUICK) -> Completed:
        with self.container(name) as container:
            words = self.isolated("none", container, self.command(name, argv))
            done = self.call(*words, timeout=timeout)
            return Completed(done.args, done.returncode, done.stdout, OWN_WORDS.sub("", done.stderr))

    @contextmanager
    def container(self, name: str) -> Iterator[str]:
        """A working container of the image."""
        container = unique("working")
        try:
            self.check("from", "--pull-never", "--name", container, name)
            yield container
        finally:
            self.kill(container)
            self.call("rm", container)

    def isolated(self, network: str, container: str, command: Sequence[str]) -> list[str | Path]:
        """runc keeps its state where `kill` finds it."""
        runtime = ("--isolation", "oci", "--runtime-flag", f"root={self.runc_root(container)}")
        return ["run", *runtime, "--network", network, container, "--", *command]

    def runc_root(self, container: str) -> Path:
        return self.directory / f"runc-{container}"

    def kill(self, container: str) -> None:
        """A buildah that was killed leaves what it ran running; mostly there is nothing to do.

        If it was killed before it ran anything, there is no state, for which newer versions of runc fail.
        """
        if not self.runc_root(container).exists():
            return
        runc: list[str | Path] = [*self.prefix, "runc", "--root", self.runc_root(container)]
        for identity in check([*runc, "list", "--quiet"]).split():
            check([*runc, "delete", "--force", identity])

    def command(self, name: str, argv: Sequence[str] | None) -> list[str]:
        """buildah takes the whole command line: of the image it uses neither Entrypoint nor Cmd."""
        config = json.loads(self.inspected(name)["Config"]).get("config") or {}
        words = config.get("Cmd") if argv is None else argv
        return [*(config.get("Entrypoint") or []), *(words or [])]

    @contextmanager
    def serve(self, name: str, port: int, timeout: float = QUICK) -> Iterator[None]:
        require_free(port)
        with self.container(name) as container:
            words = self.program(*self.isolated("host", container, self.command(name, None)))
            with in_background(words, self.directory / container, env=self.env) as process:
                wait_for_service(name, port, timeout, lambda: process.poll() is None)
                yield

    def commit(self, container: str, name: str) -> str:
        """Make an image of a working container; returns the name in buildah's spelling."""
        image_id = self.check("commit", "--quiet", container, name, timeout=HEAVY).strip()
        [found] = [name for image in self.images() if image["id"] == image_id for name in image["names"]]
        return str(found)

    def save(self, name: str, target: Path, form: Form) -> None:
        name_inside = name if form == "docker-archive" else name.rpartition(":")[2]
        self.check("push", "--quiet", name, f"{form}:{target}:{name_inside}", timeout=HEAVY)

    def remove(self, name: str) -> None:
        self.check("rmi", name)


def repo_tags(archive: Path) -> list[str]:
    with opened_tar(archive) as members:
        stream = members.extractfile("manifest.json")
        assert stream is not None
        return [tag for image in json.load(stream) for tag in image["RepoTags"] or []]


def familiar(name: str) -> str:
    return name.removeprefix("docker.io/").removeprefix("library/")


@contextmanager
def started(directory: Path, prefix: Prefix = ()) -> Iterator[Buildah]:
    consumer = Buildah(directory, prefix)
    consumer.prepare()
    yield consumer
