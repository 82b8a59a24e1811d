"""`checkImage`: a build that fails with the reason."""

from __future__ import annotations

import json

from tests.support.builds import expression, nix_build, nix_error


def checked(policy: str, more: str = "") -> tuple[str, ...]:
    image = 'lamina.buildLayeredImage { name = "checked"; tag = "1"; contents = [ pkgs.hello ]; config.User = "1000"; }'
    text = policy.replace("\n", "\\n").replace('"', '\\"')
    return expression(f'let image = {image}; in lamina.checkImage {{ inherit image; {more}'
                      f'policy = builtins.toFile "policy.toml" "{text}"; }}')  # fmt: skip


def test_an_image_that_keeps_its_policy() -> None:
    policy = '[budget]\nsize = "50 MB"\nupdate = 0\n[required]\nnumeric-user = true\n'
    answer = json.loads(nix_build(*checked(policy, "against = image; ")).read_bytes())
    assert answer["passed"] and answer["figures"]["update"] == 0


def test_a_build_that_fails_names_the_rules_and_paths() -> None:
    error = nix_error(*checked('[budget]\nsize = "1 kB"\n[required]\ntmp = true\n'))
    assert "lamina: budget-size: " in error and "costs most" in error
    assert "lamina: required-tmp: there is no /tmp" in error


def test_a_wrong_policy() -> None:
    assert "'sise' is no key of [budget]; did you mean size?" in nix_error(*checked("[budget]\nsise = 1\n"))
