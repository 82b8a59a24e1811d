"""docs/generated/dockertools-arguments.md: each argument and attribute of nixpkgs' dockerTools, and what it does here.

`python -m tests.nixpkgs.meaning` writes it. The lists are those of nixpkgs' pkgs/build-support/docker/default.nix.
"""

from __future__ import annotations

from tests.support.builds import ROOT

PAGE = ROOT / "docs/generated/dockertools-arguments.md"
SAME = "the same"
NO_MACHINE = "ignored: no virtual machine is used"

_IMAGE = {
    "name": "the same; a name that no registry takes is an error at evaluation",
    "tag": "the same; if null, the tag is another hash, which `imageTag` has",
    "fromImage": "the same; also OCI archives and layouts, and any compression",
    "config": "the same; wrong types, misspelled keys and keys in another case are errors at evaluation",
    "architecture": "the same; a word that is not Go's is an error, and a package for another processor is warned of",
    "includeNixDB": "the same; the database also has what `config` and scripts refer to",
    "meta": SAME,
}
_FROM = {
    "fromImageName": "chooses the image; there it chooses nothing",
    "fromImageTag": "chooses the image; there it chooses nothing",
}

ARGUMENTS: dict[str, dict[str, str]] = {
    "buildImage": {
        **_IMAGE,
        **_FROM,
        "copyToRoot": "the same; a link that would hide a directory of the base becomes a directory",
        "contents": "the same older word, with a warning",
        "keepContentsDirlinks": SAME,
        "runAsRoot": "the same, without a virtual machine",
        "extraCommands": "the same shell; stdenv is there with nixpkgs",
        "uid": "the owner of all files; there not of the store, and not with `runAsRoot`",
        "gid": "the group of all files, as `uid`",
        "created": "the same; what is neither RFC 3339 nor `now` is an error",
        "compressor": SAME,
        "diskSize": NO_MACHINE,
        "buildVMMemorySize": NO_MACHINE,
    },
    "streamLayeredImage": {
        **_IMAGE,
        "contents": SAME,
        "created": "the same; `now` is the time at which the recipe is built, so that two runs write the same",
        "mtime": "the time of all files; there not of those at the root. `now` as in `created`",
        "uid": "the same, and the owner of the Nix database",
        "gid": "the same, and the group of the Nix database",
        "uname": "ignored: archives have numbers only, and GNU tar would look the name up on another machine",
        "gname": "ignored, as `uname`",
        "maxLayers": "the same; another planner chooses what goes together",
        "extraCommands": "the same shell; stdenv is there with nixpkgs",
        "fakeRootCommands": "the same; owners are recorded for static programs, too",
        "enableFakechroot": "the same, without proot; on x86_64-linux and aarch64-linux",
        "includeStorePaths": SAME,
        "passthru": SAME,
        "layeringPipeline": SAME,
        "debug": "ignored: `lamina plan --explain` shows why each layer is as it is",
    },
    "buildLayeredImage": {"compressor": SAME},
    "pullImage": {
        "imageName": SAME,
        "imageDigest": SAME,
        "hash": SAME,
        "sha256": SAME,
        "outputHash": SAME,
        "outputHashAlgo": SAME,
        "os": SAME,
        "arch": "the same; a word that is not Go's is an error",
        "finalImageName": SAME,
        "finalImageTag": SAME,
        "tlsVerify": SAME,
        "name": SAME,
    },
    "exportImage": {"name": SAME, "fromImage": "the same, as in `buildImage`", **_FROM, "diskSize": NO_MACHINE},
    "streamNixShellImage": dict.fromkeys(
        ("drv", "name", "tag", "uid", "gid", "homeDirectory", "shell", "command", "run"), SAME
    ),
    "buildNixShellImage": {"drv": SAME, "compressor": SAME},
}

ATTRIBUTES: dict[str, dict[str, str]] = {
    "buildImage": {
        "imageName": SAME,
        "imageTag": SAME,
        "buildArgs": SAME,
        "layer": "the same form: a directory with `layer.tar` and `VERSION`. It has no `json`, which only Docker "
        "before 1.10 read",
        "fromImage": SAME,
        "baseJson": "the same: architecture, config, created and os",
        "layerClosure": "missing: the list of store paths is in `recipe`",
        "buildCommand": "missing: the archive is not made by a shell",
    },
    "streamLayeredImage": {
        "imageName": SAME,
        "imageTag": SAME,
        "conf": "the recipe, which has other fields",
        "streamScript": "the same: a program that takes `conf`",
        "isExe": SAME,
    },
    "buildLayeredImage": {"imageName": SAME, "imageTag": SAME, "stream": SAME, "conf": "as of the stream"},
    "pullImage": {"imageName": SAME, "imageTag": SAME, "imageDigest": SAME},
}
"""Of results; those that every derivation has are below."""

DERIVATION = (
    "override",
    "overrideAttrs",
    "overrideDerivation",
    "passthru",
    "meta",
    "outputs",
    "out",
    "all",
    "inputDerivation",
)
SET = {
    "buildImageWithNixDb": SAME,
    "buildLayeredImageWithNixDb": SAME,
    "mergeImages": "the same; not compressed, since podman 4.3 loads no compressed archive of several images",
    "shadowSetup": SAME,
    "fakeNss": SAME,
    "usrBinEnv": SAME,
    "binSh": SAME,
    "caCertificates": SAME,
    "examples": "the same names; see [dockertools-tests.md](dockertools-tests.md)",
    "override": "`skopeo`, `cacert`, `bash`, `bashInteractive`, `coreutils`, `shadow`, `fakeroot`, `go` and `fakeNss` "
    "are used; the others are ignored, with a warning",
    "tests": "missing: see [dockertools-tests.md](dockertools-tests.md)",
    "tarsum": "missing: a checksum that only Docker before 1.10 read",
    "mergeDrvs": "missing: a piece of how nixpkgs joins directories",
    "shellScript": "missing: a piece of how nixpkgs runs scripts in a virtual machine",
    "runWithOverlay": "missing: starts a virtual machine",
    "mkPureLayer": "missing: a step of nixpkgs' buildImage; `buildLayer` makes layers",
    "mkRootLayer": "missing: a step of nixpkgs' buildImage in a virtual machine",
}
HEAD = """\
# Every argument and attribute of dockerTools

What each argument and each attribute of nixpkgs' `dockerTools` does in `lamina.dockerTools`. Generated by
`python -m tests.nixpkgs.meaning`; tests hold that each argument is taken and each attribute is there, unless this page
says that it is missing. How to migrate: [from-dockertools.md](../use/from-dockertools.md). Lamina's own arguments:
[arguments.md](../use/arguments.md).
"""


def table(head: str, rows: dict[str, str]) -> str:
    return "\n".join([f"| {head} | here |", "| --- | --- |", *(f"| `{key}` | {text} |" for key, text in rows.items())])


def page() -> str:
    parts = [HEAD]
    for function, arguments in ARGUMENTS.items():
        also = {
            "buildLayeredImage": "All arguments of streamLayeredImage, and:\n\n",
            "buildNixShellImage": "All arguments of streamNixShellImage, and:\n\n",
        }.get(function, "")
        parts.append(f"## {function}\n\n{also}{table('argument', arguments)}\n")
        if function in ATTRIBUTES:
            parts.append(table("attribute of the result", ATTRIBUTES[function]) + "\n")
    every = dict.fromkeys(DERIVATION, SAME)
    parts.append(f"## Every result\n\n{table('attribute', every)}\n")
    parts.append(f"## The set itself\n\n{table('attribute', SET)}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page())
