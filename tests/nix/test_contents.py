"""What goes into an image: directories below a store path, and no store path that nothing in the image refers to."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.support.builds import ROOT, expression, nix, nix_build, nix_error
from tests.support.files import Entry, exported

LET = """let
  app = pkgs.runCommand "app" { } ''
    mkdir -p $out/bin $out/lib $out/static
    echo ${pkgs.hello} > $out/bin/app
    echo "$out" > $out/lib/self
    echo page > $out/static/index.html
  '';
  env = pkgs.buildEnv { name = "env"; paths = [ app ]; pathsToLink = [ "/bin" ]; };
  one = pkgs.writeTextDir "etc/a" "one";
  two = pkgs.writeTextDir "etc/a" "two";
in """


def recipe(text: str) -> Path:
    return nix_build(*expression(f"{LET} ({text}).recipe"))


def files(text: str) -> dict[str, Entry]:
    return exported(recipe(text))


def shipped(text: str) -> set[str]:
    """The names of the store paths in the image, without their hashes."""
    layers = json.loads(recipe(text).read_bytes())["layers"]
    return {path["path"][len("/nix/store/") + 33 :] for layer in layers for path in layer.get("paths", [])}


def build(function: str, arguments: str) -> str:
    return f'lamina.{function} {{ name = "x"; tag = "1"; {arguments} }}'


SUBTREES = {
    "buildImage": ("buildImage", 'copyToRoot = "${app}/static";'),
    "in a list": ("buildImage", 'copyToRoot = [ one "${app}/static" ];'),
    "with a database": ("buildImage", 'includeNixDB = true; copyToRoot = "${app}/static";'),
    "with a script": ("buildImage", 'extraCommands = "touch x"; copyToRoot = "${app}/static";'),
    "as root": ("buildImage", 'runAsRoot = "touch /x"; copyToRoot = "${app}/static";'),
    "layered": ("streamLayeredImage", 'contents = "${app}/static";'),
    "layered with a database": ("streamLayeredImage", 'includeNixDB = true; contents = [ "${app}/static" ];'),
    "in a layer": ("buildImage", 'layers = [ (lamina.buildLayer { copyToRoot = "${app}/static"; }) ];'),
    "as paths of a layer": (
        "buildImage",
        'copyToRoot = "${app}/static"; layers = [ (lamina.buildLayer { paths = [ "${app}/static" ]; }) ];',
    ),
}


@pytest.mark.parametrize("kind", SUBTREES)
def test_a_directory_below_a_store_path(kind: str) -> None:
    function, arguments = SUBTREES[kind]
    image = files(build(function, arguments))
    entry = image["index.html"]
    if entry.info.issym():
        assert image[entry.info.linkname.lstrip("/")].data == b"page\n"
    else:
        assert entry.data == b"page\n"


def test_only_what_is_referred_to_is_shipped() -> None:
    """buildEnv links `bin` of one package: copied, it needs neither that package nor the tree of links."""
    hello = shipped(build("buildImage", 'config.Cmd = [ "${pkgs.hello}/bin/hello" ];'))
    assert "app" not in hello and any(name.startswith("hello-") for name in hello)
    assert shipped(build("buildImage", "copyToRoot = env;")) == hello
    assert shipped(build("buildImage", "copyToRoot = app;")) == hello | {"app"}
    assert shipped(build("buildImage", "copyToRoot = app; config.Cmd = [ env.outPath ];")) == hello | {"app", "env"}


@pytest.mark.parametrize("trees", ["env", "app", "[ env one ]", '"${app}/lib"'])
def test_the_size_does_not_depend_on_whether_there_is_a_script(trees: str) -> None:
    plain = shipped(build("buildImage", f"copyToRoot = {trees};"))
    scripted = shipped(build("buildImage", f'copyToRoot = {trees}; extraCommands = "true";'))
    assert plain == scripted
    plain = shipped(build("streamLayeredImage", f"contents = {trees};"))
    scripted = shipped(build("streamLayeredImage", f'contents = {trees}; extraCommands = "true";'))
    assert plain == scripted


def test_a_tree_of_links_alone_is_not_shipped_with_what_it_links_to() -> None:
    assert "env" not in shipped(build("streamLayeredImage", "contents = env;"))


def test_two_files_in_one_place_are_warned_of() -> None:
    """Copies: the last counts; links: the first, as in dockerTools' contents."""
    for function, argument, right in (
        ("buildImage", "copyToRoot", b"two"),
        ("streamLayeredImage", "contents", b"one"),
    ):
        text = f"({build(function, f'{argument} = [ one two ]; created = {chr(34)}{function}{chr(34)};')}).recipe"
        text = text.replace('created = "buildImage"', 'created = "now"').replace('"streamLayeredImage";', '"now";')
        done = nix("nix-build", "--no-out-link", *expression(f"{LET} {text}"))
        image = exported(Path(done.stdout.strip()))
        entry = image["etc/a"]
        assert (image[entry.info.linkname.lstrip("/")] if entry.info.issym() else entry).data == right
        log = nix("nix", "log", done.stdout.strip())
        assert 'warning: image "x": /etc/a of ' in log.stdout + done.stderr


def test_volatile_that_names_nothing_in_the_image() -> None:
    wrong = build("buildLayeredImage", "contents = one; volatile = [ pkgs.hello ];")
    said = nix_error(*expression(f"{LET} {wrong}"))
    assert (
        'image "x": volatile has /nix/store/' in said and "which is not in the image; take it out of volatile" in said
    )
    assert shipped(build("streamLayeredImage", 'contents = app; volatile = [ "${app}/bin" ];'))


@pytest.mark.parametrize(
    ("created", "right"),
    [
        ("2024-01-02 03:04:05", "2024-01-02T03:04:05Z"),
        ("Jan 5 2020 12:00 +0200", "2020-01-05T10:00:00Z"),
        ("@1000", "1970-01-01T00:16:40Z"),
        ("20240102", "2024-01-02T00:00:00Z"),
    ],
)
def test_dates_in_words(created: str, right: str) -> None:
    for script in ("", 'extraCommands = "touch a";'):
        times = f'created = "{created}"; mtime = "{created}";'
        image = nix_build(*expression(f"{LET} {build('buildLayeredImage', f'{times} contents = one; {script}')}"))
        [config, *members] = list(read(image))
        assert json.loads(config.data)["created"] == right
        assert {entry.info.mtime for entry in members} == {int(datetime.fromisoformat(right).timestamp())}


def read(image: Path) -> Iterator[Entry]:
    """The image's config, then every member of every layer."""
    with tarfile.open(image) as archive:
        [item] = json.loads(archive.extractfile("manifest.json").read())  # type: ignore[union-attr]
        config = archive.getmember(item["Config"])
        yield Entry(config, archive.extractfile(config).read())  # type: ignore[union-attr]
        for layer in item["Layers"]:
            with tarfile.open(fileobj=archive.extractfile(layer)) as tar:
                yield from (Entry(member, b"") for member in tar)


def test_a_date_that_is_none() -> None:
    said = nix_error(*expression(build("buildLayeredImage", 'created = "half past seven o_clock";')))
    assert 'image "x": created is "half past seven o_clock"; write a time like 1970-01-01T00:00:01Z, "now", or' in said


def test_now() -> None:
    text = build("buildLayeredImage", 'mtime = "now"; contents = one;')
    image = nix_build(*expression(f"{LET} {text}"))
    assert {entry.info.mtime > 1_700_000_000 for entry in list(read(image))[1:]} == {True}


SHARED = ROOT.parent / "shared/cases"


def case(name: str) -> Path:
    path = SHARED / name
    if not path.exists():
        pytest.skip("the cases are no part of the project, and not beside the checkout")
    return path


@pytest.mark.parametrize(
    ("name", "attribute"),
    [
        ("03-copyToRoot-of-a-directory-in-a-store-path/trees.nix", "buildImage"),
        ("03-copyToRoot-of-a-directory-in-a-store-path/trees.nix", "layered"),
        ("03-copyToRoot-of-a-directory-in-a-store-path/trees.nix", "withDatabase"),
        ("20-extraCommands-with-an-unset-variable/image.nix", ""),
    ],
)
def test_cases_that_have_to_build(name: str, attribute: str) -> None:
    assert nix_build("-I", f"lamina={ROOT}", case(name), *(["-A", attribute] if attribute else [])).exists()


@pytest.mark.parametrize(
    "attribute", ["ports", "volumes", "interval", "test", "stopTimeout", "tty", "argsEscaped", "lowerCase"]
)
def test_configs_that_have_to_fail(attribute: str) -> None:
    wrong = nix(
        "nix-instantiate", "-I", f"lamina={ROOT}", case("11-config-values-of-wrong-types/config.nix"), "-A", attribute
    )
    assert wrong.returncode != 0
    assert 'buildImage, image "a": config.' in wrong.stderr


def test_what_an_image_lacks_is_warned_of() -> None:
    text = build("buildImage", 'copyToRoot = one; created = "2020-02-02T00:00:00Z";')
    done = nix("nix-build", "--no-out-link", *expression(f"{LET} ({text}).recipe"))
    log = done.stderr + nix("nix", "log", done.stdout.strip()).stdout
    assert 'warning: image "x": there is no /tmp' in log
    text = build("buildImage", 'copyToRoot = one; created = "2020-02-03T00:00:00Z"; layers = [ lamina.tmp ];')
    done = nix("nix-build", "--no-out-link", *expression(f"{LET} ({text}).recipe"))
    assert "there is no /tmp" not in done.stderr + nix("nix", "log", done.stdout.strip()).stdout


ROOTS = [
    ("buildImage", "copyToRoot = one;", (0o755, 0, 0)),
    ("buildImage", "copyToRoot = one; uid = 1000; gid = 100;", (0o755, 1000, 100)),
    ("buildImage", 'extraCommands = "chmod 700 .";', (0o700, 0, 0)),
    ("buildImage", 'copyToRoot = one; extraCommands = "true"; uid = 1000;', (0o755, 1000, 0)),
    ("buildImage", 'runAsRoot = "chmod 711 /; chown 5:6 /";', (0o711, 5, 6)),
    ("buildImage", 'runAsRoot = "chmod 711 /"; extraCommands = "touch x";', (0o711, 0, 0)),
    ("streamLayeredImage", "contents = one;", (0o755, 0, 0)),
    ("streamLayeredImage", 'fakeRootCommands = "chown -R 1000:100 .; chmod 750 .";', (0o750, 1000, 100)),
    ("streamLayeredImage", 'enableFakechroot = true; fakeRootCommands = "chown 7:8 /";', (0o755, 7, 8)),
    ("streamLayeredImage", 'extraCommands = "chmod 500 .";', (0o500, 0, 0)),
]


@pytest.mark.parametrize(("function", "arguments", "right"), ROOTS)
def test_the_root_directory_has_an_entry(function: str, arguments: str, right: tuple[int, int, int]) -> None:
    """Without one, podman makes it 0555, and what a script did to it is lost."""
    made = recipe(build(function, arguments))
    layers = json.loads(made.read_bytes())["layers"]
    assert any(layer["kind"] == "tar" or layer.get("top") for layer in layers)
    info = exported(made)["."].info
    assert (info.mode, info.uid, info.gid) == right


@pytest.mark.parametrize(
    ("given", "right"),
    [
        ("copyToRoot = one;", (0o711, 5, 6)),
        ('extraCommands = "touch x";', (0o711, 5, 6)),
        ('runAsRoot = "touch /x";', (0o711, 5, 6)),
        ('layers = [ (lamina.buildLayer { copyToRoot = one; extraCommands = "touch y"; }) ];', (0o711, 5, 6)),
        ('extraCommands = "chmod 700 .";', (0o700, 0, 0)),
        ('runAsRoot = "chmod 700 /";', (0o700, 5, 6)),
    ],
)
def test_on_a_base_the_root_directory_stays_the_base_s(given: str, right: tuple[int, int, int]) -> None:
    base = build("buildImage", 'runAsRoot = "chmod 711 /; chown 5:6 /";')
    info = files(build("buildImage", f"fromImage = {base}; {given}"))["."].info
    assert (info.mode, info.uid, info.gid) == right
