"""`lamina attach`: put a document beside an image in a registry."""

from __future__ import annotations

import argparse
from pathlib import Path

from lamina.commands.parser import json_text
from lamina.commands.push import access_of, add_access


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("subject", metavar="docker://HOST/NAME:TAG", help="the image in the registry; also NAME@DIGEST")
    parser.add_argument("file", type=Path, metavar="FILE", help="the document")
    text = "what the document is, such as application/vnd.cyclonedx+json or application/vnd.in-toto+json"
    parser.add_argument("--type", type=_media_type, required=True, metavar="TYPE", help=text)
    parser.add_argument("--media-type", type=_media_type, metavar="TYPE", help="media type of the file; default: TYPE")
    text = "annotation of the artifact"
    parser.add_argument("--annotation", type=_pair, action="append", default=[], metavar="KEY=VALUE", help=text)
    add_access(parser)
    text = "do not list the document under the tag sha256-DIGEST: the registry has the referrers API"
    parser.add_argument("--no-fallback-tag", action="store_true", help=text)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    from lamina.data.blob import FileRange, Source, read_all
    from lamina.limits import ATTACHED_BYTES
    from lamina.media.registry.attach import Subject, attach

    subject = Subject.parse(options.subject)
    source = Source.open(options.file)
    data = read_all(FileRange(source, 0, source.size), ATTACHED_BYTES, options.file)
    media_type = options.media_type or options.type
    notes, access = dict(options.annotation), access_of(options)
    has_fallback = not options.no_fallback_tag
    result = attach(subject, data, options.type, media_type, notes, access, has_fallback=has_fallback)
    if options.json:
        shown = {"subject": result.subject, "artifact": result.artifact, "unchanged": result.is_unchanged}
        print(json_text(shown, indent=None))
    else:
        state = "is already" if result.is_unchanged else "is now"
        print(f"{options.file} {state} beside {subject.name.qualified_name}@{result.subject}")
        print(f"artifact: {subject.name.qualified_name}@{result.artifact}")
    return 0


def _media_type(text: str) -> str:
    from lamina.oci.documents import is_media_type

    if not is_media_type(text):
        raise argparse.ArgumentTypeError(f"{text!r:.80} is not a media type, such as text/plain")
    return text


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"{text!r:.80} is not KEY=VALUE")
    return key, value
