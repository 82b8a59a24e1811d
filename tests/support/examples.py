"""The examples: what each is called, and what it does when it runs."""

from __future__ import annotations

from attrs import frozen

HELLO = "Hello, world!"


@frozen
class Example:
    """`attribute` in default.nix; `name` whole, without the tag; `says` is what running it prints, among others.

    `command` is run in the place of the image's own, where that is a shell that waits for input. A service prints
    nothing of interest: it listens on `port` and, asked for `/`, answers with `says`.
    """

    attribute: str
    name: str
    tag: str | None = "latest"
    says: tuple[str, ...] = (HELLO,)
    port: int | None = None
    user: str = ""
    layout: str = "universal"
    command: tuple[str, ...] = ()

    @property
    def familiar(self) -> str:
        return self.name.removeprefix("docker.io/library/")


EXAMPLES = (
    Example("hello", "docker.io/library/hello"),
    Example("busybox", "docker.io/library/busybox", says=("one shell",), command=("/bin/sh", "-c", "echo one shell")),
    Example("redis", "docker.io/library/redis", says=("+PONG",), port=6390),
    Example("nginx", "docker.io/library/nginx", says=("Hello from an image without a distribution.",), port=8090),
    Example("web", "docker.io/library/web", "1.0", says=('{"path": "/", "greeting": "hello"}',), port=8091),
    Example("onPulled", "docker.io/library/on-pulled"),
    Example("onImage", "docker.io/library/on-image", says=("hello from the second image",)),
    Example(
        "onImageOnImage",
        "docker.io/library/on-image-on-image",
        says=("hello from the second image", "yes too", HELLO),
    ),
    Example("compressedBase", "docker.io/library/compressed-base"),
    Example("upperCase", "docker.io/library/uppercase", "Tag-Keeps-Its-Case"),
    Example("registryName", "registry.example:5000/team/hello", "1.0"),
    Example("noTag", "docker.io/library/no-tag", None),
    Example("nonRoot", "docker.io/library/non-root", says=("alice", "written"), user="alice"),
    Example("classic", "docker.io/library/classic", layout="classic"),
    Example("layered", "docker.io/library/layered", says=("in layers", HELLO)),
    Example("ownLayers", "docker.io/library/own-layers", says=("1000 400 /etc/app/token",)),
    Example("scripted", "docker.io/library/scripted", says=("1777 /tmp", "600 /note", HELLO)),
    Example("runAsRoot", "docker.io/library/run-as-root", says=("web 700 /srv/web", "owned by web"), user="web"),
)
BY_ATTRIBUTE = {example.attribute: example for example in EXAMPLES}
