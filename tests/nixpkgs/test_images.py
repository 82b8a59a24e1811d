"""What the images hold, how they are named, and what runs in them."""

from __future__ import annotations

import http.client

import pytest

from tests.nixpkgs.conftest import Examples
from tests.nixpkgs.inspection import attribute, config, paths
from tests.support.consumers.base import ConsumerError, check

HELLO = "Hello, world!"
EPOCH = "1970-01-01T00:00:01Z"


def test_a_tree_of_links_at_the_root(examples: Examples) -> None:
    assert HELLO in examples.run("helloOnRoot")


@pytest.mark.parametrize("example", ["helloOnRootNoStore", "helloOnRootNoStoreFakechroot"])
def test_without_store_paths(examples: Examples, example: str) -> None:
    with pytest.raises(ConsumerError, match=r"no such file or directory|not found"):
        examples.run(example)
    names = paths(examples.archive(example))
    assert "bin" in names
    assert not [name for name in names if name.startswith("nix/store/")]
    assert HELLO in examples.run(example, options=["-v", "/nix/store:/nix/store:ro"])


def test_created_at_the_epoch_unless_asked(examples: Examples) -> None:
    assert examples.image("bash").created == EPOCH
    for example in ("unstableDate", "unstableDateLayered"):
        created = examples.image(example).created
        assert created.startswith("20"), "a time of this century"


def test_docker_keeps_images_by_overlay(examples: Examples) -> None:
    assert check(examples.docker.docker("info", "--format", "{{.Driver}}")) == "overlay2\n"
    assert "GNU bash" in examples.run("bash", "bash", "--version")


def test_bash(examples: Examples) -> None:
    assert "GNU bash" in examples.run("bash", "bash", "--version")
    assert f"bash:{attribute('bash.imageTag')}" in examples.docker.names()


@pytest.mark.parametrize("example", ["bashNoTag", "bashNoTagLayered", "bashNoTagStreamLayered"])
def test_image_tag_is_the_tag_that_is_loaded(examples: Examples, example: str) -> None:
    name, tag = examples.name(example).split(":")
    assert (name, tag) == (attribute(f"{example}.imageName"), attribute(f"{example}.imageTag"))
    assert f"{name}:{tag}" in examples.docker.names()


def test_a_user_who_is_not_root(examples: Examples) -> None:
    printed = examples.run(
        "bashLayeredWithUser", "/bin/stat", "-c", "%a", "/nix", "/nix/store", options=["-u", "somebody"]
    )
    assert printed.split() == ["755", "755"]


@pytest.mark.parametrize("example", ["nixFromDockerHub", "testNixFromDockerHub"])
def test_pulled(examples: Examples, example: str) -> None:
    assert "BusyBox" in examples.run(example, "/bin/busybox", "--help")


@pytest.mark.parametrize("example", ["nginx", "nginxStream"])
def test_a_web_server(examples: Examples, example: str) -> None:
    with examples.docker.serve(examples.name(example), 8000):
        client = http.client.HTTPConnection("127.0.0.1", 8000, timeout=10)
        client.request("GET", "/")
        assert client.getresponse().read() == b"served out of an image\n"


def test_on_a_pulled_image(examples: Examples) -> None:
    assert examples.name("onTopOfPulledImage") == "ontopofpulledimage:latest"
    assert HELLO in examples.run("onTopOfPulledImage")


def test_layered(examples: Examples) -> None:
    assert HELLO in examples.run("layered-image")
    assert examples.run("layered-image", "/bin/cat", "extraCommands") == "done by a script\n"


@pytest.mark.parametrize("example", ["layered-on-top", "layered-on-top-layered"])
def test_on_a_layered_image(examples: Examples, example: str) -> None:
    assert examples.run(example) == "made here\n"


def test_layered_images_share_layers(examples: Examples) -> None:
    ours, theirs = (set(examples.image(example).diff_ids) for example in ("layered-image", "another-layered-image"))
    assert ours & theirs


def test_layers_lie_in_the_order_of_their_images(examples: Examples) -> None:
    files = [f"/tmp/layer{number}" for number in (1, 2, 3)]
    printed = examples.run("layersOrder", "cat", *files, "/tmp/last")
    assert printed.split() == ["layer1", "layer2", "layer3", "layer3"]


@pytest.mark.parametrize("example", ["environmentVariables", "environmentVariablesLayered"])
def test_the_environment_is_inherited(examples: Examples, example: str) -> None:
    printed = examples.run(example, "env").splitlines()
    assert {"OF_THE_PARENT=1", "OF_THE_CHILD=1", "OF_BOTH=child"} <= set(printed)


def test_a_variable_that_is_set_again_is_there_once(examples: Examples) -> None:
    for example in ("environmentVariables", "environmentVariablesLayered"):
        environment = config(examples.archive(example))["config"]["Env"]
        assert [variable for variable in environment if variable.startswith("OF_BOTH=")] == ["OF_BOTH=child"]


def test_two_layers(examples: Examples) -> None:
    assert len(examples.image("two-layered-image").diff_ids) == 2


def test_more_store_paths_than_layers(examples: Examples) -> None:
    assert examples.run("bulk-layer", "/bin/ls", "/bin/hello") == "/bin/hello\n"


def test_the_layers_of_the_base_count(examples: Examples) -> None:
    assert examples.run("layered-bulk-layer", "/bin/ls", "/bin/hello") == "/bin/hello\n"
    assert len(examples.image("layered-bulk-layer").diff_ids) == 4


def test_a_static_program_alone(examples: Examples) -> None:
    assert "bin" in examples.run("no-store-paths", "ls", "/").split()
    names = paths(examples.archive("no-store-paths"))
    assert "bin/busybox" in names
    assert not [name for name in names if name.startswith("nix/store/")]


def test_another_architecture(examples: Examples) -> None:
    assert examples.image("cross").architecture == "arm64"
    for example in ("build-image-with-architecture", "layered-image-with-architecture"):
        assert examples.image(example).architecture == "arm64"


def test_a_store_path_that_is_a_link(examples: Examples) -> None:
    link = attribute("layeredStoreSymlink.link.outPath")
    assert examples.run("layeredStoreSymlink", "/bin/sh", "-c", f"test -L {link} && cat {link}/share/note") == (
        "behind a link\n"
    )


def test_a_registry_in_the_name(examples: Examples) -> None:
    assert examples.name("prefixedImage") == "registry.example/image:latest"
    assert examples.name("prefixedLayeredImage") == "registry.example/layered-image:latest"


def test_owners_out_of_a_script(examples: Examples) -> None:
    assert examples.run("layeredImageWithFakeRootCommands", "stat", "-c", "%u:%g", "/home/alice") == "1000:1000\n"


def test_store_paths_that_only_a_script_names(examples: Examples) -> None:
    assert HELLO in examples.run("layeredImageWithFakeRootCommands", "/hello")


@pytest.mark.parametrize("example", ["build-image-with-path", "layered-image-with-path"])
def test_a_bare_path_in_the_root(examples: Examples, example: str) -> None:
    printed = examples.run(example, "/bin/bash", "-c", "cat() { printf '%s\\n' \"$(<$1)\"; }; cat /hello.txt")
    assert printed == "a file of the checkout\n"


@pytest.mark.parametrize(
    ("example", "magic"),
    [
        ("bashUncompressed", b""),
        ("bashZstdCompressed", b"\x28\xb5\x2f\xfd"),
        ("bashLayeredUncompressed", b""),
        ("bashLayeredZstdCompressed", b"\x28\xb5\x2f\xfd"),
    ],
)
def test_compressed_in_any_way(examples: Examples, example: str, magic: bytes) -> None:
    with examples.built[example].open("rb") as archive:
        assert archive.read(4).startswith(magic)
    assert examples.name(example) in examples.docker.names()


def test_several_packages_at_the_root(examples: Examples) -> None:
    printed = examples.run("editors", "/bin/bash", "-c", "/bin/ed --version; /bin/nano --version")
    assert "GNU ed" in printed
    assert "GNU nano" in printed


def test_certificates_where_programs_look_for_them(examples: Examples) -> None:
    places = ["/etc/ssl/certs/ca-bundle.crt", "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"]
    printed = examples.run("image-with-certs", "/bin/head", "-n", "1", "--quiet", *places)
    assert printed.splitlines() == ["-----BEGIN CERTIFICATE-----"] * 3
