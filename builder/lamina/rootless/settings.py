"""Settings of the kernel that forbid what scripts need, and the remedy for each (docs/use/runAsRoot.md, Settings)."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

_SETTINGS = (
    ("kernel.unprivileged_userns_clone", 0, 1),
    ("user.max_user_namespaces", 0, 10000),
    ("kernel.apparmor_restrict_unprivileged_userns", 1, 0),
)
"""Settings that turn user namespaces off, with the values for off and on.

The first is a patch of Debian's, the second the kernel's own limit, the third Ubuntu's AppArmor.
"""

_NAMESPACES_NEEDED = 10
"""A script needs two. Other users and builds need some, too."""


def namespace_remedy() -> str:
    """What to do if the kernel refuses a user namespace, or a mount in it."""
    for name, off, on in _SETTINGS:
        with suppress(OSError, ValueError):
            value = int(Path("/proc/sys", *name.split(".")).read_text())
            if value == off:
                return f"they are off: sysctl {name}={on} turns them on"
            if name == "user.max_user_namespaces" and value < _NAMESPACES_NEEDED:
                return f"sysctl {name} is {value}, which is too few: set it to {on}"
    return "allow them where this runs: sysctl user.max_user_namespaces, or the seccomp profile of the container"
