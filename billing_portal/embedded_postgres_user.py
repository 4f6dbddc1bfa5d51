"""As whom the embedded server runs, and what that user must be able to reach.

PostgreSQL refuses to run as root: where the portal does, the server gets a user of its own.
"""

import pwd
import stat
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from django.core.exceptions import ImproperlyConfigured

#: Made for the server, with no password and no home.
_USER_WHEN_ROOT = "pgserver"


class EmbeddedPostgresError(ImproperlyConfigured):
    """The embedded server cannot run here. The message says why and what to do."""


class Owner(NamedTuple):
    """The operating system's user that the server runs as."""

    name: str
    uid: int
    gid: int


def owner_of(folder: Path) -> Owner:
    """Return whom a server started by root runs as: the folder's owner, else a user made for it.

    Raises EmbeddedPostgresError when there is no such user and none can be made.
    """
    uid = folder.stat().st_uid
    return _owner(pwd.getpwuid(uid)) if uid else _owner_for_root()


def user_name(uid: int) -> str:
    """Return a user's name, or the number of one without."""
    with suppress(KeyError):
        return pwd.getpwuid(uid).pw_name
    return str(uid)


def let_traverse(path: Path) -> None:
    """Let the server's user pass through the folders above `path`. They do not become readable."""
    for folder in path.parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)


def let_read(tree: Path) -> None:
    """Let the server's user read and run what was installed for root alone."""
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            also = stat.S_IXOTH if path.is_dir() or mode & stat.S_IXUSR else 0
            path.chmod(mode | stat.S_IROTH | also)


def _owner(entry: pwd.struct_passwd) -> Owner:
    return Owner(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _owner_for_root() -> Owner:
    with suppress(KeyError):
        return _owner(pwd.getpwnam(_USER_WHEN_ROOT))
    with suppress(OSError):
        subprocess.run(
            ["useradd", "--system", "--user-group", "--no-create-home", _USER_WHEN_ROOT],
            capture_output=True,
            check=False,
        )
    try:
        return _owner(pwd.getpwnam(_USER_WHEN_ROOT))
    except KeyError as error:
        raise EmbeddedPostgresError(
            "PostgreSQL does not run as root, and the user "
            f"'{_USER_WHEN_ROOT}' could not be made for it. Make it, or run as another user, "
            "or set DATABASE_URL to a PostgreSQL of your own."
        ) from error
