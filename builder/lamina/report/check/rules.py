"""The rules of a policy, each as a function that yields what breaks it."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping

import attrs

from lamina.data.progress import human
from lamina.report.check.files import SeenFile, resolved
from lamina.report.check.policy import Policy
from lamina.report.contents import Contents, StorePath
from lamina.report.sbom.bill import Part
from lamina.report.sbom.licenses import expression
from lamina.store.closure import store_path_in
from lamina.tar.write import FILE

RULES = {
    "budget-size": "the image is larger than its budget",
    "budget-layers": "the image has more layers than its budget",
    "budget-update": "an update costs more than its budget",
    "forbidden-path": "a store path that the policy forbids",
    "forbidden-file": "a file that the policy forbids",
    "forbidden-compiler": "a compiler",
    "forbidden-dev-output": "an output with headers and static libraries",
    "forbidden-secret": "a file that looks like a secret",
    "forbidden-setuid": "a file that runs as another user or group",
    "required-certificates": "no certificates of authorities",
    "required-tmp": "no /tmp",
    "required-numeric-user": "the user is no number other than 0",
    "required-file": "a file that the policy requires is missing",
    "license-allowed": "a license that the policy does not allow",
    "license-forbidden": "a license that the policy forbids",
    "license-unknown": "a package whose license is not known",
}
"""Each rule, and the meaning of breaking it."""

_COMPILERS = re.compile(
    r"(?:gcc|clang|llvm|rustc|cargo|ghc|go|binutils|tcc|openjdk|jdk|dmd|nim|zig|ocaml|fpc)"
    r"(?:-(?:wrapper|unwrapped|binary|minimal|headless))*(?:-[0-9].*)?"
)
_COMPILER_FILES = re.compile(
    r"(?:.*/)?bin/(?:gcc|g\+\+|cc|c\+\+|clang|clang\+\+|rustc|ghc|javac|tcc|gccgo)(?:-[0-9.]+)?"
)
_SECRETS = re.compile(
    r"(?:.*/)?(?:id_(?:rsa|dsa|ecdsa|ed25519)|\.netrc|\.pgpass|\.env|\.htpasswd|\.npmrc|\.pypirc|\.git-credentials"
    r"|\.docker/config\.json|\.aws/credentials|\.kube/config|[^/]*\.(?:key|pfx|p12|jks|keystore|kdbx)"
    r"|[^/]*-key\.pem|key\.pem)"
)
_CERTIFICATES = ("etc/ssl/certs/ca-certificates.crt", "etc/ssl/certs/ca-bundle.crt", "etc/pki/tls/certs/ca-bundle.crt",
                 "etc/ssl/cert.pem", "etc/ssl/certs")  # fmt: skip
_CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "NIX_SSL_CERT_FILE", "SSL_CERT_DIR")
_SET_ID = 0o6000


@attrs.frozen
class Broken:
    """A rule that an image breaks: what is wrong, and the store path or file that costs most or is wrong."""

    rule: str
    message: str
    path: str = ""
    size: int | None = None

    def __str__(self) -> str:
        return f"{self.rule}: {self.message}"


@attrs.frozen
class Subject:
    """An image with the data that rules check.

    `update` is the cost of an update in bytes, and the package that costs most; None without an image to compare with.
    `parts` are those of its bill of materials, if the policy has rules for licenses.
    """

    contents: Contents
    files: Mapping[str, SeenFile]
    update: tuple[int, str] | None = None
    parts: tuple[Part, ...] = ()

    @property
    def config(self) -> Mapping[str, object]:
        config = self.contents.image.config.get("config")
        return config if isinstance(config, dict) else {}


def broken_rules(policy: Policy, subject: Subject) -> list[Broken]:
    """The broken rules, in the order of the policy."""
    return [*_budget(policy, subject), *_forbidden(policy, subject), *_required(policy, subject),
            *_licenses(policy, subject)]  # fmt: skip


def _budget(policy: Policy, subject: Subject) -> Iterator[Broken]:
    contents = subject.contents
    size, layers = contents.size, len(contents.layers)
    if policy.size is not None and size > policy.size:
        largest, cost = _largest(subject)
        yield Broken(
            "budget-size", f"{human(size)}, at most {human(policy.size)}; {_most(largest, cost)}", largest, size
        )
    if policy.layers is not None and layers > policy.layers:
        largest, cost = _largest(subject)
        yield Broken("budget-layers", f"{layers} layers, at most {policy.layers}; {_most(largest, cost)}", largest)
    if policy.update is not None and subject.update and subject.update[0] > policy.update:
        cost, name = subject.update
        message = f"{human(cost)}, at most {human(policy.update)}" + (f"; {name} costs most" if name else "")
        yield Broken("budget-update", message, name, cost)


def _largest(subject: Subject) -> tuple[str, int]:
    sizes = {path: size or 0 for path, size in subject.contents.sizes.items()}
    sizes |= {f"/{path}": seen.size for path, seen in subject.files.items() if not store_path_in(f"/{path}")}
    return max(((path, size) for path, size in sizes.items()), key=lambda item: (item[1], item[0]), default=("", 0))


def _most(path: str, size: int) -> str:
    return f"{path} costs most, {human(size)}" if path else "it has no files"


def _forbidden(policy: Policy, subject: Subject) -> Iterator[Broken]:
    paths = [path for path in subject.contents.paths.values() if not _matches(path.full_name, policy.allowed)]
    for path in _by_size(paths, subject):
        for pattern in policy.forbidden_paths:
            if fnmatch.fnmatchcase(path.full_name, pattern):
                yield _of_path("forbidden-path", f"{path.path} matches {pattern}", path, subject)
        if policy.compilers and _is_compiler(path):
            yield _of_path("forbidden-compiler", f"{path.path} is a compiler", path, subject)
        if policy.dev_outputs and (path.package.output == "dev" or path.full_name.endswith("-dev")):
            yield _of_path("forbidden-dev-output", f"{path.path} has headers, which nothing runs", path, subject)
    for name, seen in sorted(subject.files.items()):
        if seen.kind == FILE and not _matches(f"/{name}", policy.allowed):
            yield from _forbidden_file(policy, name, seen)


def _by_size(paths: Iterable[StorePath], subject: Subject) -> list[StorePath]:
    return sorted(paths, key=lambda path: (-(subject.contents.sizes.get(path.path) or 0), path.path))


def _is_compiler(path: StorePath) -> bool:
    return path.package.output in ("", "out", "bin") and _COMPILERS.fullmatch(path.full_name) is not None


def _of_path(rule: str, message: str, path: StorePath, subject: Subject) -> Broken:
    size = subject.contents.sizes.get(path.path)
    return Broken(rule, message + ("" if size is None else f", {human(size)}"), path.path, size)


def _forbidden_file(policy: Policy, name: str, seen: SeenFile) -> Iterator[Broken]:
    file = f"/{name}"
    in_store = store_path_in(file) is not None
    for pattern in policy.forbidden_files:
        if fnmatch.fnmatchcase(file, pattern):
            yield Broken("forbidden-file", f"{file} matches {pattern}, {human(seen.size)}", file, seen.size)
    if policy.compilers and not in_store and _COMPILER_FILES.fullmatch(name):
        yield Broken("forbidden-compiler", f"{file} is a compiler, {human(seen.size)}", file, seen.size)
    if policy.secrets and _is_secret(name):
        yield Broken("forbidden-secret", f"{file} looks like a secret", file, seen.size)
    if policy.setuid and seen.mode & _SET_ID:
        whose = "owner" if seen.mode & 0o4000 else "group"
        yield Broken(
            "forbidden-setuid", f"{file} runs with the rights of its {whose} (mode {seen.mode:o})", file, seen.size
        )


def _is_secret(name: str) -> bool:
    is_private_key = name.endswith(".pem") and "private" in name.rpartition("/")[2]
    return is_private_key or _SECRETS.fullmatch(name) is not None


def _matches(text: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns)


def _required(policy: Policy, subject: Subject) -> Iterator[Broken]:
    if policy.certificates and not _has_certificates(subject):
        remedy = "add caCertificates to the image, or set SSL_CERT_FILE"
        yield Broken("required-certificates", f"no certificates of authorities; {remedy}", "/etc/ssl/certs")
    if policy.tmp and resolved(subject.files, "tmp") is None:
        yield Broken("required-tmp", "there is no /tmp; add layers = [ tmp ], with the tmp of Lamina's set", "/tmp")
    user = str(subject.config.get("User") or "")
    if policy.numeric_user and not re.fullmatch(r"0*[1-9][0-9]*(?::.*)?", user):
        shown = f"{user!r:.60}" if user else "not set, so it is root"
        yield Broken("required-numeric-user", f'User is {shown}; write a number other than 0, like "1000:1000"')
    for name in policy.required_files:
        if resolved(subject.files, name.strip("/")) is None:
            yield Broken("required-file", f"{name} does not exist", name)


def _has_certificates(subject: Subject) -> bool:
    env = subject.config.get("Env")
    variables = [str(item).partition("=")[0] for item in env] if isinstance(env, list) else []
    if any(name in variables for name in _CERTIFICATE_VARIABLES):
        return True
    return any(resolved(subject.files, place) is not None for place in _CERTIFICATES)


def _licenses(policy: Policy, subject: Subject) -> Iterator[Broken]:
    if not (policy.licenses_allowed or policy.licenses_forbidden or not policy.unknown_licenses):
        return
    for part in subject.parts:
        names = _license_names(part)
        if not names and not policy.unknown_licenses:
            yield Broken("license-unknown", f"the license of {part.ref} is not known", part.ref)
        for name in sorted(names):
            if _matches(name, policy.licenses_forbidden):
                yield Broken("license-forbidden", f"{part.ref} is under {name}", part.ref)
        if names and policy.licenses_allowed and not _is_allowed(part, policy):
            said = " AND ".join(item.spdx_id or item.name for item in part.licenses)
            yield Broken(
                "license-allowed", f"{part.ref} is under {said}, which is not among the allowed licenses", part.ref
            )


def _license_names(part: Part) -> set[str]:
    """Every identifier in the licenses of a part, and names of licenses without one."""
    words: set[str] = set()
    for item in part.licenses:
        words |= set(re.findall(r"[^\s()]+", item.spdx_id)) - {"AND", "OR", "WITH"} if item.spdx_id else {item.name}
    return words


def _is_allowed(part: Part, policy: Policy) -> bool:
    """Whether one of the alternatives has allowed licenses only. Of an expression with brackets, all have to be."""
    text = expression(part.licenses)
    if not text or "(" in text:
        return all(_matches(name, policy.licenses_allowed) for name in _license_names(part))
    alternatives = text.split(" OR ")
    return any(
        all(_matches(name.split(" WITH ")[0], policy.licenses_allowed) for name in alternative.split(" AND "))
        for alternative in alternatives
    )
