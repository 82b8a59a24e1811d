"""`lamina check`: check an image against a policy."""

from __future__ import annotations

import argparse
import sys

from lamina.commands.parser import add_selection, json_text
from lamina.commands.source import add_registry, add_source, only, opened, source

TYPE_CHECKING = False  # typing's own would import typing
if TYPE_CHECKING:
    from pathlib import Path

    from lamina.report.check.rules import Subject

POLICY = "lamina-policy.toml"
TASKS = (
    ("lamina check image.json --accept", "write the policy with the present figures"),
    ("lamina check image.json --against old.tar", "also what an update costs"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_source(parser)
    parser.add_argument("--policy", default=POLICY, metavar="FILE", help=f"the policy; default: {POLICY}")
    parser.add_argument("--against", type=source, metavar="OLD", help="an image, or a lock file: what an update costs")
    parser.add_argument("--metadata", metavar="FILE", help="licenses, as Nix knows them: `sbom.metadata` of an image")
    parser.add_argument("--accept", action="store_true", help="write the present figures into the policy's budget")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--sarif", action="store_true", help="print SARIF 2.1.0")
    add_selection(parser)
    add_registry(parser)


def run(options: argparse.Namespace) -> int:
    from pathlib import Path

    from lamina.errors import BadInput, printable
    from lamina.report.check import output
    from lamina.report.check.policy import Policy, read_policy
    from lamina.report.check.rules import broken_rules

    path = Path(options.policy)
    has_policy = path.exists()
    if not has_policy and not options.accept:
        raise BadInput(path, "no such file", "write a policy, or begin one with the present figures: --accept")
    policy = read_policy(path) if has_policy else Policy()
    subject = _subject(options, policy)
    if options.accept:
        return _accept(path, subject)
    broken = broken_rules(policy, subject)
    if options.json:
        print(json_text(output.check_json(broken, subject, options.policy)))
    elif options.sarif:
        print(json_text(output.sarif(broken, options.policy)))
    elif not broken:
        print(f"passed: {printable(options.policy)}")
    sys.stdout.flush()  # before the lines on standard error, which are the last ones
    for item in broken:
        print(f"lamina: {printable(str(item))}", file=sys.stderr)
    return 1 if broken else 0


def _subject(options: argparse.Namespace, policy: object) -> Subject:
    from pathlib import Path

    from lamina.commands.errors import selecting_by_name
    from lamina.data.progress import Progress
    from lamina.image.cache import Cache
    from lamina.image.hashing import with_digests
    from lamina.report.check import subject as subjects
    from lamina.report.check.policy import Policy
    from lamina.report.sbom.metadata import read_metadata

    assert isinstance(policy, Policy)
    cache = Cache.of_user()
    metadata = read_metadata(options.metadata) if options.metadata else None
    reading = Progress(f"reading {options.image}")
    with selecting_by_name(), opened(options.image, options) as images, reading as progress:
        image = with_digests(only(images, options.image), cache, progress)
        subject = subjects.subject_of(image, policy, metadata, cache)
        if options.against is None:
            return subject
        lock = subjects.lock_at(options.against) if isinstance(options.against, Path) else None
        if lock is not None:
            return subjects.after_lock(subject, lock, options.against)
        with opened(options.against, options) as old:
            return subjects.after_image(subject, with_digests(only(old, options.against), cache, progress), cache)


def _accept(path: Path, subject: Subject) -> int:
    from lamina.data.destination import open_output
    from lamina.report.check import accept, output
    from lamina.report.check.policy import policy_text

    text = policy_text(path) if path.exists() else accept.NEW
    changed = accept.with_figures(text, output.figures(subject), path)
    with open_output(path) as out:
        out.file.write(changed.encode())
    print(f"lamina: {path}: the budget has the present figures", file=sys.stderr)
    return 0
