"""The package that Nix makes of the checkout, and the recipe of hello as a derivation makes it."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

from attrs import evolve

from bench.measure import Setting
from tests.support.builds import environment, nix, nix_build


def bare(setting: Setting) -> Setting:
    """The setting with what Nix gives to the builder of hello's recipe, and nothing else in the environment."""
    attributes = setting.directory / "hello.json"
    attributes.write_text(json.dumps(attributes_of("examples.hello.recipe")))
    given = {"PATH": "/path-not-set", "HOME": "/homeless-shelter", "NIX_ATTRS_JSON_FILE": str(attributes)}
    return evolve(setting, environment=given)


def package() -> dict[str, str]:
    """`{lamina}`, the command, and `{python}`, what runs it."""
    command = nix_build("-A", "lamina") / "bin/lamina"
    return {"lamina": str(command), "python": interpreter(command)}


def interpreter(script: Path) -> str:
    """What runs the script, with its flags. A wrapper's is a shell: then it is this program's own, with our flags."""
    with script.open("rb") as file:
        line = file.readline().decode(errors="replace").strip()
    return line[2:] if line.startswith("#!") and "python" in line else f"{shlex.quote(sys.executable)} -sP"


def attributes_of(attribute: str) -> dict[str, object]:
    """The structured attributes of a derivation, with the graph that Nix adds to them when it builds."""
    made = nix("nix-instantiate", "-A", attribute).stdout.split()[-1]
    nix_build("-A", attribute)  # so that what it names is there
    [shown] = json.loads(_printed("show-derivation", made)).values()
    fields: dict[str, object] = json.loads(shown["env"]["__json"])
    exported = fields["exportReferencesGraph"]
    assert isinstance(exported, dict)
    for name, paths in exported.items():
        fields[name] = path_infos(paths)
    return fields


def path_infos(paths: list[str]) -> list[dict[str, object]]:
    """The store paths and all that they need, as Nix describes them to a builder."""
    parsed = json.loads(_printed("path-info", "--json", "--recursive", *paths))
    # Newer versions have an object by path.
    return [{**info, "path": path} for path, info in parsed.items()] if isinstance(parsed, dict) else parsed


def _printed(*words: str) -> str:
    command = ["nix", "--extra-experimental-features", "nix-command", *words]
    return subprocess.check_output(command, env=environment(), text=True)
