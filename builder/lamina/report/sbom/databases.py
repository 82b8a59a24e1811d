"""The packages of a distribution in an image, from all package databases in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lamina.image.layer import Layer
from lamina.report.sbom.bill import Part
from lamina.report.sbom.files import FoundFile, found_files
from lamina.report.sbom.packages import Counts, Installed, linked

_DPKG = "var/lib/dpkg/status"
_DPKG_PARTS = "var/lib/dpkg/status.d/"
"""Images without dpkg itself (distroless) have a file for each package here."""

_APK = ("lib/apk/db/installed", "usr/lib/apk/db/installed")
_RPM_DIRECTORIES = ("var/lib/rpm/", "usr/lib/sysimage/rpm/", "usr/share/rpm/")
_RPM = "rpmdb.sqlite"
_RPM_UNREADABLE = {"Packages": "Berkeley DB", "Packages.db": "ndb"}
_RELEASE = ("etc/os-release", "usr/lib/os-release")


def distribution_packages(layers: Sequence[Layer]) -> tuple[list[Part], list[str]]:
    """The packages that databases in the image list, and a note for each database that cannot be read.

    Raises BadInput: a database is corrupt, or a layer cannot be read.
    """
    files = found_files(layers, _is_asked)
    release = _release(files)
    counts = Counts()
    packages: list[Installed] = []
    notes: list[str] = []
    for path, file in sorted(files.items()):
        if path == _DPKG or path.startswith(_DPKG_PARTS):
            from lamina.report.sbom.dpkg import dpkg_packages

            packages += dpkg_packages(file, release, counts)
        elif path in _APK:
            from lamina.report.sbom.apk import apk_packages

            packages += apk_packages(file, release, counts)
        elif path.endswith(_RPM):
            from lamina.report.sbom.rpm import rpm_packages

            packages += rpm_packages(file, release, counts)
        elif kind := _RPM_UNREADABLE.get(path.rpartition("/")[2]):
            notes.append(f"{file.where}: packages of this RPM database are not listed: its form is {kind}, not SQLite")
    return [part for kind in ("deb", "apk", "rpm") for part in linked(_of_kind(kind, packages))], notes


def _of_kind(kind: str, packages: Sequence[Installed]) -> list[Installed]:
    return [item for item in packages if item.part.kind == kind]


def _is_asked(path: str) -> bool:
    if path == _DPKG or path in _APK or path in _RELEASE:
        return True
    if path.startswith(_DPKG_PARTS):
        return "/" not in path[len(_DPKG_PARTS) :] and not path.endswith(".md5sums")
    directory, _, name = path.rpartition("/")
    return f"{directory}/" in _RPM_DIRECTORIES and (name == _RPM or name in _RPM_UNREADABLE)


def _release(files: Mapping[str, FoundFile]) -> Mapping[str, str]:
    """The variables of os-release (os-release(5)): `ID`, `VERSION_ID`."""
    file = next((files[path] for path in _RELEASE if path in files), None)
    lines = file.data[: 1 << 16].decode(errors="replace").splitlines() if file else []
    pairs = (line.partition("=") for line in lines if not line.startswith("#"))
    return {key.strip(): value.strip().strip("\"'") for key, equals, value in pairs if equals}
