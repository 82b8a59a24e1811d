"""What results have as mkDerivation's have it, and what `dockerTools` has as nixpkgs' set has it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.builds import expression, nix, nix_build, nix_error

LET = """let
  image = lamina.dockerTools.buildImage { name = "x"; tag = "1"; };
  stream = lamina.dockerTools.streamLayeredImage { name = "x"; tag = "1"; };
  pulled = arguments: lamina.dockerTools.pullImage ({
    imageName = "r.example/x/y";
    imageDigest = "sha256:${builtins.hashString "sha256" "x"}";
  } // arguments);
in """


def evaluated(text: str) -> Any:
    done = nix("nix-instantiate", "--eval", "--strict", "--json", *expression(f"{LET} {text}"))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ('(image.overrideAttrs (final: prev: { name = "y"; })).name', "y"),
        ('(image.overrideAttrs (prev: { name = prev.name + "-y"; })).name', "docker-image-x.tar.gz-y"),
        ('(image.overrideAttrs { name = "y"; }).name', "y"),
        ('(image.overrideAttrs (final: prev: { name = "y"; passthru.of = final.name; })).of', "y"),
        ('((image.overrideAttrs { name = "y"; }).overrideAttrs (_: prev: { meta.a = prev.name; })).meta.a', "y"),
        ('((image.overrideAttrs { name = "y"; }).override { tag = "2"; }).name', "y"),
        ('((image.override { tag = "2"; }).overrideAttrs { name = "y"; }).imageTag', "2"),
        ('(stream.overrideAttrs (final: prev: { name = "y"; })).name', "y"),
        ('(lamina.dockerTools.fakeNss.overrideAttrs (final: prev: { name = "y"; })).name', "y"),
        ('(image.overrideDerivation (old: { name = old.name + "-y"; })).name', "docker-image-x.tar.gz-y"),
        ("image.outputs", ["out"]),
        ("image.out.imageTag", "1"),
        ("image.meta.outputsToInstall", ["out"]),
        ("image.meta.available", True),
        ("image.meta.name", "docker-image-x.tar.gz"),
        ("image.inputDerivation.name", "inputDerivation-docker-image-x.tar.gz"),
        ("stream.inputDerivation.type", "derivation"),
        ("(lamina.dockerTools.buildImage { name = \"x\"; fromImage = image; }).fromImage.imageTag", "1"),
        # Precedence: what the function sets, then the user's passthru, then everything else.
        ('(stream.override { passthru = { imageTag = "mine"; isExe = false; }; }).imageTag', "1"),
        ('(stream.override { passthru = { isExe = false; }; }).isExe', True),
        ('(stream.override { passthru.imageName = "mine"; }).imageName', "mine"),
        ('(stream.override { passthru.extra = "mine"; }).extra', "mine"),
        # What pullImage gives is named as the archive is.
        ('(pulled { finalImageName = "y"; finalImageTag = "v1"; hash = ""; }).imageName', "y"),
        ('(pulled { finalImageName = "y"; finalImageTag = "v1"; hash = ""; }).imageTag', "v1"),
        ('(pulled { hash = ""; }).imageTag', "latest"),
    ],
)  # fmt: skip
def test_results(text: str, right: object) -> None:
    assert evaluated(text) == right


@pytest.mark.parametrize("function", ["buildLayeredImage", "buildNixShellImage"])
def test_an_archive_is_no_program(function: str) -> None:
    """dockerTools' archives have the stream's `isExe`, so whoever asks for it would run them."""
    arguments = "drv = pkgs.hello;" if function == "buildNixShellImage" else 'name = "x";'
    assert evaluated(
        f"let it = lamina.dockerTools.{function} {{ {arguments} }}; in [ (it ? isExe) it.stream.isExe ]"
    ) == [
        False,
        True,
    ]


def test_position_is_where_the_user_wrote_it(tmp_path: Path) -> None:
    (tmp_path / "mine.nix").write_text('lamina: lamina.buildImage {\n  name = "x";\n}\n')
    assert evaluated(f"(import {tmp_path}/mine.nix lamina).meta.position") == f"{tmp_path}/mine.nix:2"


@pytest.mark.parametrize(
    "empty", ['hash = ""', 'sha256 = ""', 'outputHash = ""; outputHashAlgo = "sha256"', 'outputHash = ""']
)
def test_an_empty_hash_stands_for_one_that_is_not_known(empty: str) -> None:
    """Nix then says in the build which hash is right; here it need only evaluate."""
    done = nix("nix-instantiate", *expression(f"{LET} pulled {{ {empty}; }}"))
    assert done.returncode == 0, done.stderr
    assert "0" * 64 in Path(done.stdout.strip()).read_text()


def test_the_stream_s_program_takes_the_recipe() -> None:
    script, conf = (
        nix_build(*expression(f'(lamina.streamLayeredImage {{ name = "x"; contents = pkgs.hello; }}).{part}'))
        for part in ("streamScript", "conf")
    )
    whole = nix_build(*expression('lamina.streamLayeredImage { name = "x"; contents = pkgs.hello; }'))
    ours, theirs = (
        subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
        for command in ([script, conf], [whole])
    )
    assert ours == theirs != b""


@pytest.mark.parametrize("name", ["stream-x", "load-x", "inspect-x"])
def test_programs_show_their_own_usage(name: str) -> None:
    verb = name.removesuffix("-x")
    program = nix_build(*expression(f'(lamina.buildImage {{ name = "x"; }}).{verb}')) / "bin" / name
    for option in ("--help", "-h"):
        done = subprocess.run([program, option], capture_output=True, text=True, check=True, timeout=60)
        assert done.stdout.startswith(f"usage: {name} [-h]")
        assert "RECIPE" not in done.stdout.splitlines()[0] and "\n  -" in done.stdout


def test_skopeo_can_be_replaced() -> None:
    """Public expressions wrap it, for example with --authfile."""
    pull = 'pullImage { imageName = "x"; imageDigest = digest; hash = ""; }'
    own, by_set, by_function = evaluated(
        'let own = pkgs.writeShellScriptBin "skopeo" "exec false"; digest = (pulled { hash = ""; }).imageDigest; in '
        f"[ own.outPath ((lamina.dockerTools.override {{ skopeo = own; }}).{pull}).drvAttrs.skopeo "
        "((lamina.dockerTools.override (old: { skopeo = assert old.skopeo == pkgs.skopeo; own; }))"
        f".{pull}).drvAttrs.skopeo ]"
    )
    assert by_set == by_function == f"{own}/bin/skopeo"


def test_other_packages_of_dockertools() -> None:
    """Those with a meaning here are used; the others are taken, and said to be ignored."""
    text = "lamina.dockerTools.override { coreutils = pkgs.busybox; jq = pkgs.jq; runCommand = pkgs.runCommand; }"
    done = nix("nix-instantiate", *expression(f'({text}).buildImage {{ name = "x"; }}'))
    assert "warning: dockerTools.override: not used here, and ignored: jq, runCommand" in done.stderr
    assert evaluated(f"({text}).usrBinEnv.drvAttrs.targets") == evaluated('"usr/bin/env ${pkgs.busybox}/bin/env"')
    assert evaluated("(lamina.dockerTools.override { fakeNss = pkgs.hello; }).fakeNss.name") == evaluated(
        "pkgs.hello.name"
    )
    assert "override: there is no argument colour" in nix_error(
        *expression("lamina.dockerTools.override { colour = 1; }")
    )
    assert evaluated(
        "((lamina.dockerTools.override { cacert = pkgs.hello; }).override { skopeo = pkgs.hello; }) ? override"
    )
