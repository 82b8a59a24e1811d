"""In the place of nixpkgs' dockerTools: its expressions unchanged, with its defaults, names and attributes."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.builds import COMMAND, ROOT, nix, nix_build, nix_error
from tests.support.consumers.base import Consumer
from tests.support.consumers.docker import Docker
from tests.support.consumers.loading import KINDS

EXPRESSIONS = ROOT / "tests/nix/dockertools.nix"
NIXPKGS = ROOT / "tests/nix/nixpkgs"


def expression(text: str, packages: str = "{ }") -> tuple[str, ...]:
    """`it` is the file of expressions, `dockerTools` what it is given."""
    let = f"lamina = import {ROOT} {packages}; inherit (lamina) pkgs dockerTools; it = import {EXPRESSIONS} {{ inherit "
    return ("-E", f"let {let} pkgs dockerTools; }}; in {text}")


def evaluated(text: str, packages: str = "{ }") -> Any:
    done = nix("nix-instantiate", "--eval", "--strict", "--json", *expression(text, packages))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def built(attribute: str) -> Path:
    return nix_build(*expression(f"it.{attribute}"))


def inspected(image: Path) -> list[dict[str, Any]]:
    document: list[dict[str, Any]] = json.loads(
        subprocess.check_output([COMMAND, "inspect", "--json", image], timeout=60)
    )
    return document


def test_all_evaluate_with_nixpkgs() -> None:
    paths = evaluated('builtins.mapAttrs (_: value: "${value}") it', f"{{ pkgs = import {NIXPKGS} {{ }}; }}")
    assert set(paths) == set(evaluated("builtins.attrNames it"))
    assert all(path.startswith("/nix/store/") for path in paths.values())


RUNS = {
    "basic": "basic\n",
    "oldWord": "Hello, world!\n",
    "onBasic": "11 child\n",
    "noTag": "Hello, world!\n",
    "plain": "Hello, world!\n",
    "changed": "Hello, world!\n",
    "withDatabase": "Hello, world!\n",
}


@pytest.mark.parametrize("attribute", RUNS)
def test_it_runs(attribute: str, dockerd: Docker, tmp_path: Path) -> None:
    [name] = dockerd.load(built(attribute))
    tag = evaluated(f"it.{attribute}.imageTag")
    assert name == f"{evaluated(f'it.{attribute}.imageName')}:{tag}"
    done = dockerd.run(name)
    assert done.stdout == RUNS[attribute], done.stderr


def test_helpers(dockerd: Docker) -> None:
    [name] = dockerd.load(built("layered"))
    said = dockerd.run(name).stdout
    assert said.startswith("Hello, world!\nroot:x:0:0:root user:/var/empty:/bin/sh\nalice:x:1000:1000::/home:/bin/sh\n")
    assert "\nnobody:x:65534:65534:" in said and "BEGIN CERTIFICATE" in said
    for path in ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"):
        assert dockerd.run(name, ["/bin/sh", "-c", f"test -s {path}"]).returncode == 0
    assert dockerd.run(name, ["/bin/sh", "-c", "test -d /var/empty && echo x > /tmp/y"]).returncode == 0


def test_shadow_setup(tmp_path: Path) -> None:
    """In a root directory of its own: accounts can be made, and what is there already stays."""
    setup = built("accounts")
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/login.defs").write_text("UID_MIN 4000\n")
    for path in ("nix", "dev", "bin"):
        (root / path).mkdir()
    inner = (
        f"set -e; . {setup}; . {setup}; groupadd users; useradd --no-create-home bob; grep -q ^bob:x:4000 /etc/passwd"
    )
    bash = built("basic").parent  # anything below the store
    shell = evaluated('"${pkgs.bash}/bin/bash"')
    tools = evaluated("lib.makeBinPath (with pkgs; [ coreutils gnugrep ])".replace("lib.", "pkgs.lib."))
    mounts = f"mount --rbind {bash.parent} {root}/nix; mount --rbind /dev {root}/dev"
    command = f"{mounts}; PATH={tools} exec /usr/sbin/chroot {root} {shell} -c '{inner}'"
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", command], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (root / "etc/login.defs").read_text() == "UID_MIN 4000\n"


def test_defaults() -> None:
    """dockerTools' archives are compressed, and of a base's config only Env is taken over."""
    value = evaluated("{ a = it.basic.name; b = it.noTag.name; c = it.zstd.name; d = it.plain.name; }")
    assert list(value.values()) == [
        "docker-image-Basic.tar.gz",
        "no-tag.tar.gz",
        "docker-image-zstd.tar.zst",
        "docker-image-plain.tar",
    ]
    [child] = inspected(built("onBasic"))
    assert "Labels" not in child["config"]["config"]
    assert child["config"]["config"]["Env"] == ["FROM_PARENT=1", "LAST_LAYER=child", "FROM_CHILD=1"]


def test_lamina_beside_it_has_its_own_defaults() -> None:
    value = evaluated('(lamina.buildImage { name = "x"; }).name')
    assert value == "docker-image-x.tar"


def test_attributes_of_results() -> None:
    value = evaluated(
        "{ drv = it.streamed.name; inherit (it.streamed) imageName imageTag isExe; conf = it.streamed.conf.name; "
        "given = it.plain.buildArgs; stream = it.layered.stream.name; layer = it.basic.layer.name; "
        "script = it.streamed.streamScript.name; layeredConf = it.layered.conf.name; meta = it.plain.meta; "
        "tags = [ it.noTag.imageTag it.noTag.stream.imageTag (baseNameOf it.noTag.stream.conf) ]; }"
    )
    assert (value["drv"], value["script"]) == ("stream-streamed", "stream")
    assert (value["imageName"], value["imageTag"], value["isExe"]) == ("streamed", "1", True)
    assert value["conf"] == "streamed-image.json" and value["layeredConf"] == "layered-image.json"
    assert value["given"]["tag"] == "1" and "uid" not in value["given"]
    assert value["stream"] == "stream-layered" and value["layer"] == "docker-layer-Basic"
    assert value["tags"][0] == value["tags"][1] and len(value["tags"][0]) == 32


def test_arguments_can_be_asked_for() -> None:
    value = evaluated("builtins.mapAttrs (_: f: f.__functionArgs) { inherit (dockerTools) buildImage pullImage; }")
    assert value["buildImage"]["name"] is False and value["buildImage"]["runAsRoot"] is True
    assert value["pullImage"]["imageDigest"] is False


def test_override() -> None:
    value = evaluated(
        "{ a = it.changed.imageTag; b = it.changedByFunction.imageTag; c = it.changedByFunction.imageName; "
        'd = (it.plain.overrideAttrs { name = "renamed"; }).name; '
        'e = ((it.plain.overrideAttrs (old: { meta = old.meta // { x = 1; }; })).override { tag = "3"; }).imageTag; }'
    )
    assert list(value.values()) == ["2", "1-changed", "other", "renamed", "3"]


def test_the_layer_of_an_image() -> None:
    layer = nix_build(*expression("it.basic.layer"))
    assert (layer / "VERSION").read_text() == "1.0"
    with tarfile.open(layer / "layer.tar") as tar:
        assert tar.getmember("tmp").mode == 0o1777
    plain = nix_build(*expression("it.oldWord.layer"))
    with tarfile.open(plain / "layer.tar") as tar:
        assert "bin/hello" in tar.getnames()


@pytest.mark.parametrize("option", ["-t", "--repo_tag", "--name"])
def test_a_stream_under_another_name(option: str) -> None:
    done = subprocess.run(
        [built("streamed"), option, "Other.example/team/app:7"], capture_output=True, check=True, timeout=60
    )
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        file = archive.extractfile("manifest.json")
        assert file and json.loads(file.read())[0]["RepoTags"] == ["other.example/team/app:7"]
        names = archive.extractfile("repositories")
        assert names and list(json.loads(names.read())) == ["other.example/team/app"]


def test_a_stream_under_no_name_at_all() -> None:
    done = subprocess.run(
        [built("streamed"), "-t", "not a name"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "'not a name' is no image name" in done.stderr


def test_the_layered_stream_is_a_program() -> None:
    done = subprocess.run([nix_build(*expression("it.noTag.stream"))], capture_output=True, check=True, timeout=60)
    assert gzip.decompress(built("noTag").read_bytes()) == done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_merged_images_are_loaded_and_run(kind: str, request: pytest.FixtureRequest) -> None:
    consumer: Consumer = request.getfixturevalue(kind)
    merged = built("merged")
    tag = evaluated("it.noTag.imageTag")
    loaded = {name.removeprefix("docker.io/library/"): name for name in consumer.load(merged)}
    assert set(loaded) == {"basic:latest", "zstd:1", f"no-tag:{tag}"}
    assert consumer.run(loaded["basic:latest"]).stdout == "basic\n"
    assert consumer.run(loaded["zstd:1"]).stdout == "Hello, world!\n"
    assert consumer.run(loaded[f"no-tag:{tag}"]).stdout == "Hello, world!\n"


@pytest.mark.parametrize("kind", ["dockerd", "podman", "containerd"])
def test_a_merged_image_without_a_name(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """It does not keep the others from being loaded; what becomes of it itself is the consumer's affair."""
    consumer: Consumer = request.getfixturevalue(kind)
    recipe = json.loads(nix_build(*expression("it.changed.recipe")).read_bytes()) | {"names": []}
    (tmp_path / "nameless.json").write_text(json.dumps(recipe | {"config": {"User": "7"}}))
    merged = tmp_path / "merged.tar"
    done = subprocess.run(
        [COMMAND, "merge", tmp_path / "nameless.json", built("plain"), "-o", merged], capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    consumer.load(merged)
    [name] = [name for name in consumer.names() if name.endswith("plain:1")]
    assert consumer.run(name).stdout == "Hello, world!\n"


def test_merged_images_keep_owners_and_store_each_layer_once() -> None:
    """A stream is merged without an archive of it."""
    merged = nix_build(*expression("dockerTools.mergeImages [ it.streamed it.plain it.zstd ]"))
    with tarfile.open(merged) as archive:
        file = archive.extractfile("manifest.json")
        assert file
        items = json.loads(file.read())
        layers = [layer for item in items for layer in item["Layers"]]
        assert len(set(layers)) < len(layers), "two have hello's closure in common"
        assert sum(name in archive.getnames() for name in set(layers)) == len(set(layers))
        assert len(archive.getnames()) == len(set(archive.getnames()))
        [top] = [item["Layers"][-1] for item in items if item["RepoTags"] == ["docker.io/library/streamed:1"]]
        with tarfile.open(fileobj=archive.extractfile(top)) as layer:
            home = layer.getmember("home/alice")
    assert (home.uid, home.gid) == (1000, 1000)


def test_the_older_word_is_warned_of() -> None:
    done = nix("nix-instantiate", *expression("it.oldWord"))
    assert 'warning: buildImage, image "old-word": contents is the older word; copyToRoot does the same' in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mergeImages [ ]", "mergeImages: the argument is [ ]; it takes a list of images"),
        ("mergeImages it.plain", 'the argument is the derivation "docker-image-plain.tar"; it takes a list of images'),
        ("mergeImages [ 1 ]", "mergeImages: the argument is [ 1 ]; it takes a list of images"),
        ("fakeNss.override { extraPasswdLines = 1; }", "fakeNss: extraPasswdLines is 1; it takes a list"),
        ("buildLayer { paths = pkgs.hello; }", 'buildLayer: paths is the derivation "hello'),
        ("buildLayer { rules = [ 1 ]; }", "buildLayer: rules is [ 1 ]; it takes a list, each item an attribute set"),
        ("buildLayer { maxLayers = 0; }", "buildLayer: maxLayers is 0; it takes a whole number from 1 on, or null"),
        ('buildLayer { name = "a/b"; }', 'buildLayer: name is "a/b"; it takes a name for a store path'),
        ("override { colour = 1; }", "dockerTools.override: there is no argument colour; it takes bash"),
    ],
)
def test_wrong_arguments(text: str, said: str) -> None:
    assert said in nix_error(*expression(f"dockerTools.{text}"))
