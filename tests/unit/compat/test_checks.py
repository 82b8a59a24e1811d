"""Compatibility checks: what Lamina writes passes, and each check notices its own change of it, alone."""

from __future__ import annotations

import functools
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.commands.main import main
from lamina.compat import CHECKS, checks_for, facts, known_consumers
from lamina.compat.check import ALL, BY_NAME_ONLY, CONSUMERS
from lamina.compat.survey import Survey, survey
from lamina.errors import BadUsage
from lamina.image.layer import Layer
from lamina.limits import Allowance
from lamina.media import universal
from lamina.report.verify import verify
from tests.support.archives import docker_26_classic, docker_save, oci_archive, sample, skopeo
from tests.support.doctored import CASES, Archive, Case, archive, folder, layer, link
from tests.support.doctored import File as Member
from tests.support.fixtures import Command
from tests.support.kinds_of_images import KINDS
from tests.support.recipes import archive_of, base, recipe, root_layer, save, write_recipe
from tests.support.trees import make_tree

IDS = [check.id for check in CHECKS]
ONLY_OCI = {"umoci", "oras", "buildkit"}


def failing(path: Path, wanted: tuple[str, ...] = tuple(CONSUMERS)) -> set[str]:
    return {finding.check for finding in verify(path, consumers=wanted).findings}


@pytest.mark.parametrize("kind", KINDS)
def test_what_we_write_fits_all(kind: str, tmp_path: Path) -> None:
    path = archive_of(KINDS[kind](tmp_path), tmp_path / "it.tar")
    assert verify(path, consumers=ALL).findings == ()
    assert failing(path) == {"v1-only"}, "which docker-1.9 alone asks for"


@pytest.mark.parametrize("kind", KINDS)
def test_a_classic_archive_fits_all_that_read_docker_archives(kind: str, tmp_path: Path) -> None:
    path = archive_of(KINDS[kind](tmp_path), tmp_path / "it.tar", "classic")
    assert failing(path, tuple(name for name in CONSUMERS if name not in ONLY_OCI)) == set()
    [finding] = verify(path, consumers=CONSUMERS).findings
    assert (finding.check, set(finding.hurts)) == ("oci-side", ONLY_OCI)


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_for_docker_1_9_fits_everyone(kind: str, tmp_path: Path) -> None:
    assert failing(archive_of(KINDS[kind](tmp_path), tmp_path / "it.tar", "docker-1.9")) == set()


def without_a_decoy(it: Archive) -> None:
    it.drop("blobs/json")


def with_another_layer(it: Archive) -> None:
    it.info("blobs/layer.tar").linkname = it.info("blobs/layer.tar").linkname[:-64] + "e" * 64


def with_a_decoy_of_another_layer(it: Archive) -> None:
    it.put("blobs/json", it.data(f"{it.chain[-1]}/json"))


@pytest.mark.parametrize("edit", [without_a_decoy, with_another_layer, with_a_decoy_of_another_layer])
def test_what_docker_1_9_would_stumble_over(edit: Callable[[Archive], None], tmp_path: Path) -> None:
    it = archive(arrange=universal.arrange_for_docker_1_9)
    edit(it)
    assert "v1-only" in failing(it.write(tmp_path / "it.tar"))


def test_every_check_has_a_change_that_it_must_notice() -> None:
    assert list(CASES) == IDS


@functools.cache
def failing_when_good(good: Callable[[], Archive], directory: Path) -> set[str]:
    return failing(good().write(directory / f"{good.__name__}.tar"))


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("good")


@pytest.mark.parametrize("check", CASES)
def test_that_check_alone_notices(check: str, directory: Path, tmp_path: Path) -> None:
    case: Case = CASES[check]
    before = failing_when_good(case.good, directory)
    assert before <= {"v1-only", "oci-side"} - {check}
    it = case.good()
    case.edit(it)
    path = it.write(tmp_path / "it.tar")
    path.write_bytes(case.raw(path.read_bytes()))
    assert failing(path) - before == {check}


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("manifest.json", "docker-side"),
        ("repositories", "v1-side"),
        ("oci-layout", "oci-side"),
        ("index.json", "oci-side"),
    ],
)
def test_documents_are_files(name: str, check: str, tmp_path: Path) -> None:
    it = archive()
    it.add("elsewhere", it.data(name))
    it.become_link(name, "elsewhere")
    assert check in failing(it.write(tmp_path / "it.tar"))


def test_checks_have_different_ids() -> None:
    assert len(set(IDS)) == len(IDS)
    assert len({check.sentence for check in CHECKS}) == len(CHECKS)


@pytest.mark.parametrize("check", CHECKS, ids=IDS)
def test_a_check_says_what_and_for_whom(check: object) -> None:
    found = next(known for known in CHECKS if known is check)
    assert found.sentence.endswith(".") and found.source
    assert found.protects and set(found.protects) <= set(CONSUMERS)
    assert len(set(found.protects)) == len(found.protects)
    for needed in (known for known in CHECKS if known.id in found.needs):
        assert set(found.protects) <= set(needed.protects), "else those would not hear of the fault"
        assert IDS.index(needed.id) < IDS.index(found.id)
    assert {*found.needs} <= set(IDS)


@pytest.mark.parametrize("name", CONSUMERS)
def test_every_consumer_is_protected(name: str) -> None:
    assert len(checks_for([name])) > 3


def test_consumers_are_named_in_any_order() -> None:
    assert known_consumers(["podman", "docker"]) == ("docker", "podman")
    assert set(known_consumers(["all"])) == set(CONSUMERS) - BY_NAME_ONLY
    assert set(known_consumers(["all", "docker-1.9"])) == set(CONSUMERS)
    with pytest.raises(BadUsage, match=r"'dockr' is not a consumer; write all, or some of: docker, docker-containerd"):
        known_consumers(["podman", "dockr"])


def test_what_other_tools_write_lacks_what_is_known_to_be_lacking(tmp_path: Path) -> None:
    images = [sample()]
    wanted = ("mesos", "podman", "docker", "umoci")
    found = {shape.__name__: failing(save(shape(images), tmp_path / "it.tar"), wanted) for shape in
             (docker_save, docker_26_classic, skopeo, oci_archive)}  # fmt: skip
    assert found == {
        "docker_save": {"oci-side", "v1-ids", "podman-names"},
        "docker_26_classic": {"v1-side"},
        "skopeo": {"oci-side", "v1-ids", "podman-names"},
        "oci_archive": {"docker-side", "v1-side", "podman-names"},
    }


def test_docker_s_own_ids_follow_from_the_content(alpine: Path) -> None:
    assert failing(alpine, ("mesos",)) == set()


def test_skopeo_s_own_ids_do_too(tmp_path: Path) -> None:
    """A bottom layer and its ID out of an archive that skopeo 1.9 wrote."""
    from lamina.compat.mesos import _derived
    from lamina.oci.digest import Digest

    diff_id = Digest("sha256:44f5e216ee8885a7a498f23dbc80b05f9617a0f385f7055c46bcc172ccba2966")
    assert "14f5526c033c4fb2269327fbe4bb01e57eb1defb219960315dbce1746ceb5b89" in _derived({"id": "x"}, diff_id, False)


def over(*layers: bytes) -> set[str]:
    """What of the rules for layers over each other fails."""
    return {check for check in _of_layers(layers) if check in ("layer-under-links", "layer-over-dangling")}


def _of_layers(layers: tuple[bytes, ...]) -> set[str]:
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        return failing(archive(layers=layers).write(Path(directory, "it.tar")))


def test_links_of_lower_layers() -> None:
    usr = layer(folder("usr"), folder("usr/bin"), link("bin", "usr/bin"))
    assert over(usr, layer(folder("usr"), folder("usr/bin"), Member("usr/bin/x"))) == set()
    assert over(usr, layer(folder("bin"), Member("bin/x"))) == {"layer-under-links"}
    assert over(usr, layer(Member(".wh.bin")), layer(folder("bin"))) == set(), "the link was taken away"
    assert over(usr, layer(Member(".wh..wh..opq")), layer(folder("bin"))) == set()
    assert over(usr, layer(link("bin", "sbin")), layer(folder("bin"))) == {"layer-under-links"}
    assert over(usr, layer(Member("bin"))) == set(), "it leads somewhere"
    assert over(usr, layer(Member("usr/.wh.bin")), layer(Member("bin"))) == {"layer-over-dangling"}
    assert over(layer(link("a", "b"), link("b", "/c"), Member("c")), layer(Member("a"))) == set()
    assert over(layer(link("a", "b"), link("b", "a")), layer(Member("a"))) == {"layer-over-dangling"}


KEYS = ("Config", "Layers", "RepoTags", "manifests", "digest", "annotations", "layers", "config", "app", "parent", "id")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
)


@given(st.sampled_from(["manifest.json", "index.json", "repositories", "config", "manifest", "v1"]), JSON)
def test_no_document_is_too_odd(name: str, value: object) -> None:
    """Whatever a document holds, checks give an answer."""
    import tempfile

    it = archive()
    paths = {
        "config": it.json("manifest.json")[0]["Config"],
        "manifest": "blobs/" + it.json("index.json")["manifests"][0]["digest"].replace(":", "/"),
        "v1": f"{it.chain[-1]}/json",
    }
    it.put(paths.get(name, name), json.dumps(value).encode())
    with tempfile.TemporaryDirectory() as directory:
        verify(it.write(Path(directory, "it.tar")), consumers=CONSUMERS)


def test_layers_beyond_counting_are_not_read_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    it = archive()
    layers = it.json("manifest.json")[0]["Layers"]
    it.edit_item(Layers=layers * 400)
    it.edit_manifest(lambda manifest: manifest.update(layers=manifest["layers"] * 400))
    assert failing(it.write(tmp_path / "it.tar")) >= {"layers-match"}
    monkeypatch.setattr("lamina.report.verify.LAYER_NAMES", Allowance("bytes of names in its layers", 3, 0, 3, ""))
    verdict = verify(archive().write(tmp_path / "it.tar"), consumers=ALL)
    assert len(verdict.problems) == 2 and "more than 3 bytes of names in its layers" in verdict.problems[0]


def test_a_file_that_many_names_lead_to_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    it = archive()
    layers = it.json("manifest.json")[0]["Layers"]
    for number in range(20):
        it.add(f"link-{number}", kind=tarfile.SYMTYPE, target=layers[0])
    it.edit_item(Layers=[f"link-{number}" for number in range(20)])
    read: list[str] = []

    def noted(layer: Layer, *counters: Any) -> tuple[Layer, Survey]:
        read.append(layer.where)
        return survey(layer, *counters)

    monkeypatch.setattr(facts, "survey", noted)
    assert "layers-regular" in failing(it.write(tmp_path / "it.tar"))
    assert len(read) == 1


def test_a_merged_archive_has_several_images(tmp_path: Path) -> None:
    for name, tag in (("one", "1"), ("two", "2"), ("three", "1")):
        fields = recipe(root_layer(make_tree(tmp_path / name, {"etc/name": name.encode()})))
        archive_of(fields | {"names": [{"name": name, "tag": tag}]}, tmp_path / f"{name}.tar")
    main(["merge", f"{tmp_path}/one.tar", f"{tmp_path}/two.tar", "-o", f"{tmp_path}/both.tar"])
    main(["merge", f"{tmp_path}/one.tar", f"{tmp_path}/three.tar", "-o", f"{tmp_path}/same-tag.tar"])
    assert failing(tmp_path / "same-tag.tar", ALL) == {"docker-one-image", "index-tags"}, "umoci knows tags only"
    [finding] = verify(tmp_path / "both.tar", consumers=ALL).findings
    assert finding.check == "docker-one-image" and "docker" not in finding.hurts and "podman" not in finding.hurts


def test_on_a_base_with_merged_directories_nothing_lies_under_a_link(tmp_path: Path) -> None:
    below = layer(folder("usr"), folder("usr/bin"), link("bin", "usr/bin"))
    made = archive(layers=(below,)).write(tmp_path / "base.tar")
    tree = make_tree(tmp_path / "tree", {"bin/app": b"#!"})
    path = archive_of(recipe(root_layer(tree), base=base(made)), tmp_path / "it.tar")
    assert verify(path, consumers=ALL).findings == ()


def test_on_a_real_base(alpine: Path, tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree", {"bin/app": b"#!"})
    path = archive_of(recipe(root_layer(tree), base=base(alpine)), tmp_path / "it.tar")
    assert verify(path, consumers=ALL).findings == ()


def test_a_recipe_is_verified_as_the_archive_that_it_makes(tmp_path: Path, lamina: Command) -> None:
    fields = recipe(root_layer(make_tree(tmp_path / "tree", {"etc/motd": b"hello\n"})))
    path = write_recipe(fields, tmp_path)
    done = lamina("verify", path, "--for", "all", "--json")
    assert done.returncode == 0, done.stderr
    parsed = json.loads(done.stdout)
    assert parsed["sound"] and (parsed["layers"], parsed["findings"], parsed["for"]) == (1, [], list(ALL))
    plain = lamina("verify", path)
    assert (plain.returncode, plain.stdout.decode().split(":")[0]) == (0, "sound")


def test_a_recipe_whose_store_paths_or_base_are_gone_is_not_sound(tmp_path: Path, lamina: Command) -> None:
    gone = write_recipe(recipe(root_layer(tmp_path / "nowhere")), tmp_path)
    done = lamina("verify", gone)
    assert done.returncode == 1 and str(tmp_path / "nowhere") in done.stderr.decode()
    damaged = save(docker_save([sample()]), tmp_path / "base.tar")
    damaged.write_bytes(damaged.read_bytes().replace(b"below", b"BELOW"))
    on_base = recipe(base=base(damaged))
    done = lamina("verify", write_recipe(on_base, tmp_path))
    assert done.returncode == 1 and b"base.tar" in done.stderr and done.stderr.count(b"\n") == 1


def test_the_command_lists_what_fails(tmp_path: Path, lamina: Command) -> None:
    it = archive()
    CASES["v1-side"].edit(it)
    CASES["docker-no-sources"].edit(it)
    it.write(tmp_path / "it.tar")
    done = lamina("verify", "it.tar", "--for", "mesos,crane,docker")
    assert done.returncode == 1 and done.stdout.startswith(b"sound: 1 image,")
    assert done.stderr.decode().splitlines() == [
        "lamina: docker-no-sources: manifest.json: has the field LayerSources; hurts crane",
        "lamina: v1-side: repositories: is missing; hurts mesos",
        "lamina: does not fit: mesos, crane",
    ]
    parsed = json.loads(lamina("verify", "it.tar", "--for", "mesos", "--json").stdout)
    finding = {"check": "v1-side", "where": "repositories", "what": "is missing", "more": 0, "hurts": ["mesos"]}
    assert (parsed["sound"], parsed["findings"]) == (True, [finding])
    fit = lamina("verify", "it.tar", "--for", "podman")
    assert fit.returncode == 0 and fit.stdout.decode().splitlines()[1].endswith("checks for podman")


def test_bad_usage(tmp_path: Path, lamina: Command) -> None:
    archive().write(tmp_path / "it.tar")
    done = lamina("verify", "it.tar", "--for", "moby")
    assert done.returncode == 2 and b"'moby' is not a consumer; write all, or some of: docker," in done.stderr
    assert lamina("verify", ".", "--for", "all").returncode == 2
