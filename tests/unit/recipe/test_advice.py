"""Images that are legal and lack what most programs need are warned about, once; no others are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lamina.recipe.advice import advice
from lamina.recipe.recipe import Base, Recipe, RecipeLayer, RootLayer, StoreLayer, TarLayer
from lamina.store.closure import PathInfo

TMP, CERTIFICATES = "there is no /tmp", "openssl-3.0 finds no certificates"
HASH = "0" * 32


def store(*names: str) -> StoreLayer:
    return StoreLayer(tuple(PathInfo(f"/nix/store/{HASH}-{name}", "sha256:0", 1) for name in names))


def said(*layers: RecipeLayer, **fields: Any) -> list[str]:
    recipe = Recipe((), "amd64", "", fields.get("config", {}), tuple(layers), fields.get("base"))
    return list(advice(recipe))


def root(path: Path, *places: str) -> RootLayer:
    for place in places:
        (path / place).mkdir(parents=True)
    return RootLayer((PathInfo(str(path), "sha256:0", 1),))


def test_what_is_missing_is_said() -> None:
    found = said(store("openssl-3.0", "hello-1"))
    assert len(found) == 2
    assert found[0].startswith(TMP) and found[1].startswith(CERTIFICATES)


@pytest.mark.parametrize("name", ["hello-2", "curlie-1", "opensslike"])
def test_other_packages_need_no_certificates(name: str) -> None:
    assert [text[: len(TMP)] for text in said(store(name))] == [TMP]


def test_on_a_base_or_in_an_empty_image_nothing_is_said() -> None:
    assert said(store("openssl-3.0"), base=Base("/base.tar")) == []
    assert said() == []


@pytest.mark.parametrize("place", ["etc/ssl/certs", "etc/pki/tls/certs"])
def test_files_at_the_root(place: str, tmp_path: Path) -> None:
    assert said(store("openssl-3.0"), root(tmp_path, "tmp", place)) == []


def test_certificates_elsewhere(tmp_path: Path) -> None:
    with_tmp = root(tmp_path, "tmp")
    assert said(store("openssl-3.0", "nss-cacert-3.9"), with_tmp) == []
    assert said(store("curl-8"), with_tmp, config={"Env": ["SSL_CERT_FILE=/x"]}) == []
    assert len(said(store("curl-8"), with_tmp, config={"Env": ["SSL_CERTS=/x"]})) == 1


@pytest.mark.parametrize(("name", "missing"), [("tmp/", 0), ("./tmp/", 0), (".tmp", 1), ("var/tmp/", 1)])
def test_layers_that_scripts_made(name: str, missing: int, tmp_path: Path) -> None:
    import tarfile

    path = tmp_path / "layer.tar"
    with tarfile.open(path, "w") as tar:
        info = tarfile.TarInfo(name)
        info.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
        tar.addfile(info)
    assert len(said(TarLayer(PathInfo(str(path), "sha256:0", path.stat().st_size)))) == missing
