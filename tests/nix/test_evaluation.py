"""What Nix sees before anything is built: arguments, attributes, and the set that packages come from."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.builds import ROOT, environment, expression, nix, nix_error
from tests.support.examples import EXAMPLES

NIXPKGS = ROOT / "tests/nix/nixpkgs"


def evaluated(text: str) -> Any:
    done = nix("nix-instantiate", "--eval", "--strict", "--json", *expression(text))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


WRONG = [
    ('{ name = "x"; compressor = "lzma"; }', 'compressor is "lzma"; it takes one of "gz", "none", "zstd"'),
    ('{ name = "x"; format = "new"; }', 'format is "new"; it takes one of "universal", "docker-1.9", "classic"'),
    ('{ name = "x"; layout = "new"; }', 'layout is "new"; it takes one of "universal", "docker-1.9", "classic"'),
    ('{ name = "x"; format = "classic"; layout = "classic"; }', "format and layout mean the same; give one of them"),
    ('{ name = "x"; inheritConfig = "all"; }', 'inheritConfig is "all"; it takes one of "docker", "env"'),
    ('{ name = "x"; copyToRoot = pkgs.hello; contents = pkgs.hello; }', "copyToRoot and contents mean the same"),
    ('{ name = "x"; colour = 1; }', 'buildImage, image "x": there is no argument colour; it takes allowForeign, '),
    ("{ }", "buildImage: the argument name is missing"),
]


@pytest.mark.parametrize(("arguments", "said"), WRONG)
def test_wrong_arguments_fail_at_evaluation(arguments: str, said: str) -> None:
    assert said in nix_error(*expression(f"lamina.buildImage {arguments}"))


PULL = 'imageName = "x"; imageDigest = "sha256:%s";' % ("0" * 64)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (f"{{ {PULL} }}", "give one of hash, sha256, outputHash"),
        (f'{{ {PULL} hash = "sha256-"; sha256 = "0"; }}', "give one of hash, sha256, outputHash"),
        ('{ imageName = "x"; imageDigest = "latest"; hash = "sha256-"; }', 'imageDigest is "latest"; it takes sha256:'),
        (f'{{ {PULL} hash = "sha256-"; tlsVerify = "no"; }}', 'tlsVerify is "no"; it takes true or false'),
        (f'{{ {PULL} hash = "sha256-"; format = "dir"; }}', 'format is "dir"; it takes one of "docker-archive", "oci"'),
        (f'{{ {PULL} hash = "sha256-"; arch = "x86_64"; }}', 'arch is "x86_64"; write "amd64"'),
        (f'{{ {PULL} hash = "sha256-"; tag = "1"; }}', "there is no argument tag; did you mean finalImageTag?"),
        (f'{{ {PULL} hash = "sha256-"; name = "a:b"; }}', 'name is "a:b"; it takes a name for a store path'),
        (
            f'{{ {PULL} hash = "sha256-"; authFile = ./default.nix; }}',
            "it takes the path of a file outside of the store",
        ),
        (
            f'{{ {PULL} hash = "sha256-"; authFile = "${{./default.nix}}"; }}',
            "a file outside of the store, as a string",
        ),
    ],
)
def test_wrong_arguments_of_pull_image(arguments: str, said: str) -> None:
    assert said in nix_error(*expression(f"lamina.pullImage {arguments}"))


def test_attributes_of_an_image() -> None:
    image = 'lamina.buildImage { name = "Registry.example/Team/App"; meta.description = "an app"; }'
    value = evaluated(
        f"let image = {image}; in {{ inherit (image) imageName imageTag meta; "
        "given = image.buildArgs.name; recipe = image.recipe.name; load = image.load.meta.mainProgram; "
        "drv = image.name; }"
    )
    assert isinstance(value, dict)
    assert value["imageName"] == "registry.example/team/app"
    assert value["given"] == "Registry.example/Team/App"
    assert value["drv"] == "docker-image-App.tar"
    assert value["recipe"] == "App-image.json"
    assert value["load"] == "load-App"
    value["meta"].pop("position")
    assert value["meta"] == {
        "name": "docker-image-App.tar",
        "description": "an app",
        "outputsToInstall": ["out"],
        "available": True,
        "broken": False,
        "insecure": False,
        "unfree": False,
        "unsupported": False,
    }
    assert len(value["imageTag"]) == 32


def test_the_tag_hangs_on_the_content() -> None:
    tag = 'config: (lamina.buildImage { name = "x"; inherit config; }).imageTag'
    first, same, other = evaluated(f'map ({tag}) [ {{ User = "1"; }} {{ User = "1"; }} {{ User = "2"; }} ]')
    assert first == same != other


@pytest.mark.parametrize("compressor, extension", [("none", ""), ("gz", ".gz"), ("zstd", ".zst")])
def test_the_extension_tells_the_compressor(compressor: str, extension: str) -> None:
    value = evaluated(f'(lamina.buildImage {{ name = "x"; compressor = "{compressor}"; }}).name')
    assert value == f"docker-image-x.tar{extension}"


@pytest.mark.parametrize("attribute", [example.attribute for example in EXAMPLES])
def test_examples_evaluate_with_nixpkgs_names(attribute: str) -> None:
    done = nix("nix-instantiate", ROOT, "-A", f"examples.{attribute}", "--arg", "pkgs", f"import {NIXPKGS} {{ }}")
    assert done.returncode == 0, done.stderr


def test_dockertools_own_examples_evaluate_with_nixpkgs_names() -> None:
    arguments = ["-A", "examples.dockerTools", "--arg", "pkgs", f"import {NIXPKGS} {{ }}"]
    done = nix("nix-instantiate", ROOT, *arguments)
    assert done.returncode == 0, done.stderr


def test_images_for_another_processor_are_built_on_this_one() -> None:
    """By nixpkgs' pkgsCross: what runs is of this machine, what is in the image of the other one."""
    image = f"(import {ROOT} {{ pkgs = import {NIXPKGS} {{ }}; }}).examples.dockerTools.cross"
    values = evaluated(
        f"let image = {image}; in {{ inherit (image) system; inherit (image.recipe.drvAttrs.image) architecture; }}"
    )
    assert values == {"system": "x86_64-linux", "architecture": "arm64"}
    trees, hello, ours = (
        evaluated(f"let there = (import {NIXPKGS} {{ }}).pkgsCross.aarch64-multiplatform; image = {image}; in {value}")
        for value in ("image.recipe.drvAttrs.trees", "[ there.hello.outPath ]", "image.builder")
    )
    assert trees == hello
    builds = evaluated(f"(import {ROOT} {{ pkgs = import {NIXPKGS} {{ }}; }}).lamina.outPath")
    assert ours == f"{builds}/bin/lamina"


def test_nixpkgs_on_the_path_is_used() -> None:
    done = nix("nix-instantiate", ROOT, "-A", "lamina", NIX_PATH=f"nixpkgs={NIXPKGS}")
    assert done.returncode == 0, done.stderr
    assert "-lamina-" in done.stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkout as a flake sees it: what Git knows, and nothing else."""
    target = tmp_path_factory.mktemp("flake") / "lamina"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, timeout=60).stdout
    files = [name for name in listed.decode().split("\0") if name and (ROOT / name).exists()]
    for name in files:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes((ROOT / name).read_bytes())
    return target


ATTRIBUTES = [
    "examples.hello.load.drvPath",
    "examples.redis.drvPath",
    "packages.x86_64-linux.default.drvPath",
    "packages.aarch64-darwin.lamina.drvPath",
    "legacyPackages.aarch64-darwin.examples.layered.load.drvPath",
    "legacyPackages.x86_64-darwin.dockerTools.fakeNss.drvPath",
    "checks.x86_64-linux.scripted.drvPath",
    "checks.aarch64-darwin.layered.drvPath",
    "apps.x86_64-linux.default.program",
    "apps.aarch64-darwin.lamina.meta.description",
    "devShells.x86_64-linux.default.drvPath",
]


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_the_flake(attribute: str, clone: Path, tmp_path: Path) -> None:
    assert flake_value(clone, tmp_path, attribute)


@pytest.mark.parametrize(
    ("apply", "right"),
    [
        ("f: (f.overlays.default (import ./tests/nix/nixpkgs {}) {}).lamina.buildImage", "image"),
        ("f: (f.overlays.dockerTools (import ./tests/nix/nixpkgs {}) {}).dockerTools.buildImage", "image"),
        ("f: (f.lib.withPackages (import ./tests/nix/nixpkgs {})).buildImage", "image"),
    ],
)
def test_overlays_and_the_library_of_the_flake(apply: str, right: str, clone: Path) -> None:
    flake = f"((import {clone}/flake.nix).outputs {{ self = {{ }}; nixpkgs = {{ }}; }})"
    function = apply.removeprefix("f: ").replace("f.", f"{flake}.").replace("./tests", f"{clone}/tests")
    assert evaluated(f'({function} {{ name = "{right}"; }}).imageName') == right


def flake_value(clone: Path, tmp_path: Path, attribute: str) -> str:
    done = subprocess.run(
        [
            "nix",
            "eval",
            "--no-write-lock-file",
            "--raw",
            f"path:{clone}#{attribute}",
            "--override-input",
            "nixpkgs",
            f"path:{clone}/tests/nix/nixpkgs",
        ],
        env=environment(XDG_CACHE_HOME=str(tmp_path)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


MAC = f"""let
  mac = import {NIXPKGS} {{ system = "aarch64-darwin"; }};
  lamina = import {ROOT} {{ pkgs = mac; }};
  arguments = {{ name = "x"; contents = mac.pkgsLinux.hello; extraCommands = "true"; }};
  image = lamina.dockerTools.streamLayeredImage arguments;
in """


def test_on_macos_images_are_built_for_linux_and_programs_run_there() -> None:
    done = nix(
        "nix-instantiate",
        "--eval",
        "--strict",
        "--json",
        "-E",
        f"{MAC} {{ stream = image.drvAttrs.system; recipe = image.recipe.drvAttrs.system; "
        "load = image.load.drvAttrs.system; arch = image.recipe.drvAttrs.image.architecture; "
        'same = image.load.drvAttrs.builder == "${mac.bash}/bin/bash"; command = lamina.lamina.system; '
        'linux = image.recipe.drvAttrs.builder; archive = (lamina.buildImage { name = "x"; }).drvAttrs.system; }',
    )
    assert done.returncode == 0, done.stderr
    parsed = json.loads(done.stdout)
    assert (parsed["stream"], parsed["load"], parsed["command"]) == ("aarch64-darwin",) * 3
    assert (parsed["recipe"], parsed["archive"]) == ("aarch64-linux",) * 2
    assert parsed["arch"] == "arm64" and parsed["same"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            "contents = mac.hello;",
            "hello is for aarch64-darwin, and the image for linux/arm64; take the package from a",
        ),
        ("contents = [ [ mac.pkgsLinux.hello mac.curl ] ];", "curl is for aarch64-darwin"),
        ('contents = mac.pkgsLinux.hello; architecture = "amd64";', "hello is for aarch64-linux, and the image for"),
    ],
)
def test_packages_for_another_machine_are_found(given: str, said: str) -> None:
    text = f'{MAC} lamina.buildLayeredImage {{ name = "x"; {given} }}'
    done = nix("nix-instantiate", "-E", text)
    assert done.returncode != 0 and said in done.stderr
    allowed = nix("nix-instantiate", "-E", text.replace('name = "x";', 'name = "x"; allowForeign = true;'))
    assert allowed.returncode == 0, allowed.stderr


@pytest.mark.parametrize(
    "tree",
    [
        '(import NIXPKGS { system = "x86_64-linux"; host = "i686-linux"; }).hello',
        '(import NIXPKGS { system = "aarch64-darwin"; }).buildEnv { name = "links"; paths = [ ]; }',
        '"${builtins.toFile "a" ""}"',
    ],
)
def test_what_runs_there_or_is_no_program_is_fine(tree: str) -> None:
    """Programs of the smaller processor; and trees of links, which may be made on any machine."""
    image = f'(import {ROOT} {{ pkgs = import {NIXPKGS} {{ }}; }}).buildImage {{ name = "x"; copyToRoot = TREE; }}'
    done = nix("nix-instantiate", "-E", image.replace("TREE", tree).replace("NIXPKGS", str(NIXPKGS)))
    assert done.returncode == 0, done.stderr


def test_without_any_packages_the_error_says_what_to_do(clone: Path) -> None:
    """A checkout in which `make setup` was not run, on a machine without nixpkgs."""
    assert "make setup" in nix_error(clone, "-A", "examples.hello")


def test_the_older_word_for_format() -> None:
    image = 'lamina.{} {{ name = "x"; {} = "classic"; }}'
    for function in ("buildImage", "buildLayeredImage"):
        old, new = (
            nix("nix-instantiate", *expression(image.format(function, argument))) for argument in ("layout", "format")
        )
        assert old.stdout == new.stdout != "", old.stderr
        assert f'warning: {function}, image "x": layout is the older word; format does the same' in old.stderr
        assert "older word" not in new.stderr


def test_compressors_are_those_of_the_command() -> None:
    from lamina.data.compressors import COMPRESSORS

    archive = f"import {ROOT}/nix/lib/archive.nix {{ toolbox.optionalAttrs = _: _: {{ }}; }}"
    assert evaluated(f"({archive}).extensions") == COMPRESSORS
