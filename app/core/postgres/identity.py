"""Which system user the embedded server runs as.

PostgreSQL refuses to run as root, so root hands the server to an ordinary user.
Permissions of folders that are not ours are never changed to make that work: a
folder that shuts that user out is found and named instead.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from app.core.exceptions import ConfigurationError


@dataclass(frozen=True, slots=True)
class Identity:
    """A system user, with the groups it belongs to."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    drops_privileges: bool

    def first_locked(self, paths: list[Path]) -> Path | None:
        """The first of `paths` (folders or programs) this user may not enter or run.

        The kernel is asked, as that user, so that access lists count too.
        """
        if not self.drops_privileges:
            return next((path for path in paths if not os.access(path, os.X_OK)), None)
        found = subprocess.run(
            [
                "/bin/sh",
                "-c",
                'for p in "$@"; do [ -x "$p" ] || { printf %s "$p"; exit 1; }; done',
                "sh",
                *map(str, paths),
            ],
            cwd="/",
            env={"PATH": os.defpath},
            stdout=subprocess.PIPE,
            user=self.uid,
            group=self.gid,
            extra_groups=self.groups,
            check=False,
        )
        return Path(os.fsdecode(found.stdout)) if found.returncode else None

    def blocking_folder(self, path: Path) -> Path | None:
        """The outermost existing folder on the way to `path` that shuts us out."""
        # os.path.isdir, as Path.is_dir raises for what lies behind a closed folder.
        folders = [*reversed(path.parents), path]
        return self.first_locked([one for one in folders if os.path.isdir(one)])


def server_identity() -> Identity:
    """The user the server runs as: ourselves, or for root an ordinary user.

    Root takes the user who called sudo, else `postgres`, else `nobody`.
    """
    uid = os.geteuid()
    if uid != 0:
        return Identity(str(uid), uid, os.getegid(), (), drops_privileges=False)
    for entry in _candidates():
        if entry.pw_uid != 0:
            groups = tuple(os.getgrouplist(entry.pw_name, entry.pw_gid))
            return Identity(
                entry.pw_name, entry.pw_uid, entry.pw_gid, groups, drops_privileges=True
            )
    raise ConfigurationError(
        "PostgreSQL does not run as root and this system has no user `postgres` or "
        "`nobody` to run it as: create one, run as an ordinary user, or set "
        "DATABASE_URL"
    )


def identity_of_owner(path: Path, fallback: Identity) -> Identity:
    """The owner of `path`, when we are root; `fallback` otherwise.

    Data made before, say without sudo, is served by the user who owns it.
    """
    if not fallback.drops_privileges:
        return fallback
    owner = path.stat()
    if owner.st_uid in (0, fallback.uid):
        return fallback
    try:
        entry = pwd.getpwuid(owner.st_uid)
    except KeyError:
        name, groups = str(owner.st_uid), tuple([owner.st_gid])
    else:
        name, groups = entry.pw_name, tuple(
            os.getgrouplist(entry.pw_name, owner.st_gid)
        )
    return Identity(name, owner.st_uid, owner.st_gid, groups, drops_privileges=True)


def _candidates() -> list[pwd.struct_passwd]:
    found: list[pwd.struct_passwd] = []
    caller = os.environ.get("SUDO_UID", "")
    if caller.isdecimal():
        try:
            found.append(pwd.getpwuid(int(caller)))
        except KeyError:
            pass  # sudo from a user this container does not know
    for name in ("postgres", "nobody"):
        try:
            found.append(pwd.getpwnam(name))
        except KeyError:
            continue
    return found
