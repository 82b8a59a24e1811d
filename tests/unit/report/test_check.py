"""Policies: each rule is broken alone by a change of a good image."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.commands import interrupt
from lamina.commands.main import main
from lamina.errors import BadInput
from lamina.report.check.accept import NEW, with_figures
from lamina.report.check.policy import FIELDS, Policy, parse_policy
from lamina.report.check.rules import RULES
from tests.support.archives import SHAPES, Shape, layer_of, sample
from tests.support.fixtures import Command
from tests.support.kinds_of_images import KINDS
from tests.support.recipes import archive_of, recipe, save, store_layer, tar_layer, write_recipe
from tests.support.sbom import write_json
from tests.support.trees import Store

APP = {"bin/app": b"x" * 3000}
FILES = {"tmp/": b"", "etc/ssl/certs/ca-bundle.crt": b"certificates", "bin/sh": b"shell"}
POLICY: dict[str, dict[str, Any]] = {
    "budget": {"size": "50 kB", "layers": 2, "update": 0},
    "forbidden": {
        "paths": ["perl-*"],
        "files": ["/root/*"],
        "compilers": True,
        "dev-outputs": True,
        "secrets": True,
        "setuid": True,
        "except": ["/bin/su", "gcc-1.0"],
    },
    "required": {"certificates": True, "tmp": True, "numeric-user": True, "files": ["/bin/sh"]},
    "licenses": {"allowed": ["MIT", "GPL-*", "Apache-2.0"], "forbidden": ["AGPL-*"], "unknown": False},
}


@pytest.fixture
def lamina(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Command:
    """Run `lamina` in this process, in `tmp_path`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(interrupt, "raise_on_interrupt", lambda: None)

    def run(*arguments: object, **_: object) -> subprocess.CompletedProcess[bytes]:
        words = list(map(str, arguments))
        status = main(words)
        return subprocess.CompletedProcess(words, status, *capfdbinary.readouterr())

    return run


def tar(files: Mapping[str, bytes], modes: Mapping[str, int], links: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name.rstrip("/"))
            info.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            info.size, info.mode = len(data), modes.get(name, 0o755)
            archive.addfile(info, io.BytesIO(data))
        for name, target in links.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return buffer.getvalue()


def image(directory: Path, **changes: Any) -> dict[str, Any]:
    """An image that keeps the policy, with changes: `paths`, `files`, `modes`, `links`, `user`, `layers`, `license`."""
    store = Store(directory / "nix/store")
    paths = [str(store.path(name)) if store.path(name).exists() else store.add(name, APP)
             for name in ("app-1.0", *changes.get("paths", ()))]  # fmt: skip
    files = {name: data for name, data in {**FILES, **changes.get("files", {})}.items() if data is not None}
    layer = directory / "files.tar"
    layer.write_bytes(tar(files, changes.get("modes", {}), changes.get("links", {})))
    more = [tar_layer(save([], directory / f"{number}.tar")) for number in range(changes.get("layers", 0))]
    digest = "sha256:" + hashlib.sha256(layer.read_bytes()).hexdigest()
    layers = [*([store_layer(*paths)] if changes.get("store", True) else []), tar_layer(layer) | {"narHash": digest}]
    described = recipe(*layers, *more, config={"User": changes.get("user", "1000:1000")})
    packages = [
        {"path": path, "licenses": [[text, text] for text in changes.get("license", ["MIT"])]} for path in paths
    ]
    write_json({"version": 1, "packages": packages}, directory / "metadata.json")
    return described


def toml(policy: Mapping[str, Mapping[str, Any]]) -> str:
    tables = ((f"[{table}]", *(f"{key} = {json.dumps(value)}" for key, value in content.items()))
              for table, content in policy.items())  # fmt: skip
    return "\n".join(line for lines in tables for line in lines) + "\n"


def checked(directory: Path, lamina: Command, described: dict[str, Any], *more: object) -> dict[str, Any]:
    (directory / "lamina-policy.toml").write_text(toml(POLICY))
    path = write_recipe(described, directory)
    done = lamina("check", path, "--json", "--metadata", directory / "metadata.json", *more)
    answer: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if answer["passed"] else 1)
    assert done.stderr.decode().count("\n") == len(answer["broken"])
    return answer


BREAKING: dict[str, dict[str, Any]] = {
    "budget-size": {"files": {"usr/large": b"x" * 60_000}},
    "budget-layers": {"layers": 1},
    "forbidden-path": {"paths": ["perl-5.36"]},
    "forbidden-file": {"files": {"root/.bashrc": b"x"}},
    "forbidden-compiler": {"paths": ["gcc-wrapper-12.2"]},
    "forbidden-dev-output": {"paths": ["zlib-1.3-dev"]},
    "forbidden-secret": {"files": {"home/me/.ssh/id_ed25519": b"x"}},
    "forbidden-setuid": {"files": {"bin/sudo": b"x"}, "modes": {"bin/sudo": 0o4755}},
    "required-certificates": {"files": {"etc/ssl/certs/ca-bundle.crt": None}},
    "required-tmp": {"files": {"tmp/": None}, "store": False},  # which is in a directory of that name
    "required-numeric-user": {"user": "nobody"},
    "required-file": {"files": {"bin/sh": None}},
    "license-allowed": {"license": ["Proprietary-1.0"]},
    "license-forbidden": {"license": ["MIT OR AGPL-3.0-only"]},
    "license-unknown": {"license": []},
}
NAMED = {
    "budget-size": "/usr/large costs most, 60.0 kB",
    "budget-layers": "app-1.0 costs most",
    "forbidden-path": "perl-5.36 matches perl-*",
    "forbidden-secret": "/home/me/.ssh/id_ed25519",
    "forbidden-setuid": "/bin/sudo runs with the rights of its owner (mode 4755)",
    "required-numeric-user": "'nobody'",
}


def test_a_good_image(tmp_path: Path, lamina: Command) -> None:
    answer = checked(tmp_path, lamina, image(tmp_path))
    assert answer["broken"] == [] and answer["figures"]["layers"] == 2 and answer["figures"]["update"] is None


def test_every_rule_has_a_change_that_breaks_it() -> None:
    assert set(BREAKING) | {"budget-update"} == set(RULES)


@pytest.mark.parametrize("rule", BREAKING)
def test_each_rule_alone(tmp_path: Path, lamina: Command, rule: str) -> None:
    answer = checked(tmp_path, lamina, image(tmp_path, **BREAKING[rule]))
    assert [item["rule"] for item in answer["broken"]] == [rule]
    assert NAMED.get(rule, "") in answer["broken"][0]["message"]


KEEPING: dict[str, dict[str, Any]] = {
    "an exception": {"files": {"bin/su": b"x"}, "modes": {"bin/su": 0o4755}, "paths": ["gcc-1.0"]},
    "libraries of a compiler": {"paths": ["gcc-12.2-lib", "go-licenses-1.0", "libgcc-12"]},
    "one of several licenses": {"license": ["AFL-2.1 OR MIT"]},
    "a license with an exception": {"license": ["GPL-2.0-only WITH Classpath-exception-2.0"]},
    "links": {
        "files": {"tmp/": None, "bin/sh": None, "var/tmp/": b"", "usr/bin/dash": b"x"},
        "links": {"tmp": "var/tmp", "bin": "usr/bin", "usr/bin/sh": "/bin/dash"},
    },
    "a public key": {"files": {"etc/ssh/host.pub": b"x", "usr/share/keyrings/debian.gpg": b"x"}},
}


@pytest.mark.parametrize("changes", KEEPING.values(), ids=KEEPING.keys())
def test_what_keeps_the_policy(tmp_path: Path, lamina: Command, changes: dict[str, Any]) -> None:
    assert checked(tmp_path, lamina, image(tmp_path, **changes))["broken"] == []


def test_the_cost_of_an_update(tmp_path: Path, lamina: Command) -> None:
    old = archive_of(image(tmp_path), tmp_path / "old.tar")
    changed = image(tmp_path, files={"etc/motd": b"x" * 2000})
    answer = checked(tmp_path, lamina, changed, "--against", old)
    [broken] = answer["broken"]
    assert broken["rule"] == "budget-update" and broken["size"] == answer["figures"]["update"] > 2000
    assert checked(tmp_path, lamina, image(tmp_path), "--against", old)["figures"]["update"] == 0


def test_the_cost_of_an_update_from_a_lock(tmp_path: Path, lamina: Command) -> None:
    lock = tmp_path / "lock.json"
    assert lamina("plan", write_recipe(image(tmp_path), tmp_path), "--lock", lock).returncode == 0
    assert checked(tmp_path, lamina, image(tmp_path), "--against", lock)["figures"]["update"] == 0
    answer = checked(tmp_path, lamina, image(tmp_path, paths=["zlib-1.3"]), "--against", lock)
    assert [item["rule"] for item in answer["broken"]] == ["budget-update"]
    done = lamina("check", archive_of(image(tmp_path), tmp_path / "it.tar"), "--against", lock)
    assert done.returncode == 1 and b"the image has no recipe" in done.stderr


def test_a_layer_that_deletes(tmp_path: Path, lamina: Command) -> None:
    """What the image does not show breaks no rule."""
    below = layer_of({"root/.ssh/id_rsa": b"x", "home/.env": b"x", "srv/.env": b"x"})
    above = layer_of({"root/.wh..wh..opq": b"", ".wh.home": b"", "srv": b""})
    path = save(SHAPES["OCI archive"]([sample(layers=(below, above))]), tmp_path / "it.tar")
    (tmp_path / "lamina-policy.toml").write_text("[forbidden]\nsecrets = true\n")
    assert lamina("check", path).returncode == 0
    path = save(SHAPES["OCI archive"]([sample(layers=(below,))]), tmp_path / "it.tar")
    done = lamina("check", path)
    assert done.returncode == 1 and done.stderr.count(b"forbidden-secret") == 3


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_images_of_other_tools(shape: Shape, tmp_path: Path, lamina: Command) -> None:
    path = save(shape([sample()]), tmp_path / "it.tar")
    (tmp_path / "lamina-policy.toml").write_text("[budget]\nlayers = 1\n")
    done = lamina("check", path)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"lamina: budget-layers: 2 layers, at most 1; /file-")


@pytest.mark.thorough
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_every_kind_of_image(kind: Any, tmp_path: Path, lamina: Command) -> None:
    fields = kind(tmp_path)
    (tmp_path / "p.toml").write_text("[budget]\nlayers = 0\n[forbidden]\nsetuid = true\n")
    several = ("--name", "app") if len(fields["names"]) > 1 else ()
    for path in (write_recipe(fields, tmp_path), archive_of(fields, tmp_path / "it.tar")):
        answer = json.loads(lamina("check", path, "--policy", "p.toml", "--json", *several).stdout)
        assert len(answer["broken"]) == (answer["figures"]["layers"] > 0)


def test_sarif(tmp_path: Path, lamina: Command) -> None:
    """The fields that SARIF 2.1.0 demands, and those that code scanning shows."""
    (tmp_path / "lamina-policy.toml").write_text(toml(POLICY))
    described = image(tmp_path, **BREAKING["forbidden-setuid"])
    done = lamina("check", write_recipe(described, tmp_path), "--sarif", "--metadata", tmp_path / "metadata.json")
    log = json.loads(done.stdout)
    assert (done.returncode, log["version"]) == (1, "2.1.0") and log["$schema"].endswith("sarif-2.1.0.json")
    [run] = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "lamina" and [rule["id"] for rule in driver["rules"]] == list(RULES)
    assert all(rule["shortDescription"]["text"] for rule in driver["rules"])
    [result] = run["results"]
    assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "forbidden-setuid"
    assert result["level"] == "error" and "/bin/sudo" in result["message"]["text"]
    [place] = result["locations"]
    assert place["physicalLocation"]["artifactLocation"]["uri"] == "lamina-policy.toml"
    assert place["physicalLocation"]["region"]["startLine"] == 1
    assert place["logicalLocations"][0]["fullyQualifiedName"] == "/bin/sudo"


MISTAKES = {
    "a table": ("[forbiden]\n", "'forbiden' is no table; did you mean forbidden?"),
    "a key": ("[forbidden]\nsetuidd = true\n", "'setuidd' is no key of [forbidden]; did you mean setuid?"),
    "far": ("[budget]\nxyz = 1\n", "'xyz' is no key of [budget]; the names are: size, layers, update"),
    "a size": ('[budget]\nsize = "a lot"\n', "budget.size is 'a lot'; write a number of bytes"),
    "negative": ("[budget]\nlayers = -1\n", "budget.layers is -1; write a whole number"),
    "no number": ("[budget]\nlayers = true\n", "budget.layers is true; write a whole number"),
    "a flag": ("[forbidden]\nsetuid = 1\n", "forbidden.setuid is 1; write true or false"),
    "texts": ("[forbidden]\nfiles = [1]\n", "forbidden.files is [1]; write a list of texts"),
    "too large": (f'[budget]\nsize = "{"9" * 400} TB"\n', "write a number of bytes"),
    "too many digits": (f"[budget]\nsize = {'9' * 5000}\n", "is not TOML: "),
    "no table": ("budget = 1\n", "budget is 1, not a table"),
    "no TOML": ("[budget\n", "is not TOML"),
}


@pytest.mark.parametrize(("text", "expected"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistakes(text: str, expected: str) -> None:
    with pytest.raises(BadInput) as error:
        parse_policy(text, "p.toml")
    assert expected in str(error.value) and str(error.value).startswith("p.toml: ")


def test_sizes() -> None:
    sizes = {"12": 12, "1 kB": 1000, "1.5 MB": 1_500_000, "2GiB": 2 << 30, "3 B": 3}
    for text, size in sizes.items():
        assert parse_policy(f'[budget]\nsize = "{text}"\n', "it") == Policy(size=size)


def test_a_missing_policy(tmp_path: Path, lamina: Command) -> None:
    done = lamina("check", write_recipe(image(tmp_path), tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith(b"lamina: lamina-policy.toml: no such file; write a policy, or ")


def test_accept(tmp_path: Path, lamina: Command) -> None:
    path = write_recipe(image(tmp_path), tmp_path)
    policy = tmp_path / "lamina-policy.toml"
    assert lamina("check", path, "--accept").returncode == 0
    assert parse_policy(policy.read_text(), "it").setuid
    assert lamina("check", path).returncode == 0
    policy.write_text('# ours\n[budget]  # money\nsize = "1 B" # small\n\n[forbidden]\nsetuid = true\n')
    assert lamina("check", path).returncode == 1
    assert lamina("check", path, "--accept", "--against", path).returncode == 0
    size = tomllib.loads(policy.read_text())["budget"]["size"]
    rest = "layers = 2\nupdate = 0\n\n[forbidden]\nsetuid = true\n"
    assert policy.read_text() == f"# ours\n[budget]  # money\nsize = {size:_} # small\n{rest}"
    assert lamina("check", path).returncode == 0


FIGURES = {"size": 1_234_567, "layers": 3, "update": None}


@pytest.mark.parametrize(
    "text", ["", NEW, "[required]\ntmp = true", "[budget]\n", "[budget]\n# none\n\n\n[required]\n"]
)
def test_figures_are_added(text: str) -> None:
    result = with_figures(text, FIGURES, "it")
    before = tomllib.loads(text)
    assert tomllib.loads(result) == {**before, "budget": {"size": 1_234_567, "layers": 3}}
    assert with_figures(result, FIGURES, "it") == result


@pytest.mark.parametrize("text", ["budget = { size = 1 }\n", "budget.size = 1\n", "[budget]\nsize = '''\n1'''\n"])
def test_a_budget_of_another_form_is_not_damaged(text: str) -> None:
    with pytest.raises(BadInput, match="write \\[budget\\] and each of its keys on a line of its own"):
        with_figures(text, FIGURES, "it")


LINES = ("[budget]", "size = 1", "layers = 2 # x", "# size = 1", "", "[required]", "tmp = true", 'size = "1 MB"')


@given(st.lists(st.sampled_from(LINES)), st.integers(0, 1 << 40))
def test_only_figures_change(lines: list[str], size: int) -> None:
    text = "\n".join(lines)
    try:
        before = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    after = tomllib.loads(with_figures(text, {"size": size}, "it"))
    assert after == {**before, "budget": {**before.get("budget", {}), "size": size}}


def test_the_guide_has_every_key_and_rule() -> None:
    text = (Path(__file__).parents[3] / "docs/use/check.md").read_text()
    assert {f"`{table}.{key}`" for table, keys in FIELDS.items() for key in keys} <= set(text.split())
    assert all(f"`{rule}`" in text for rule in RULES)
