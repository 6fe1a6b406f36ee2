"""A version of a policy as a user names it: by id and date, by folder, or as it stood in a git revision."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from msgspec import Struct
from msgspec.structs import replace

from policycheck.cache import kept, key_of
from policycheck.errors import PolicyError, UsageError, shown_path
from policycheck.policy.compile import check_whole
from policycheck.policy.find import find_pack, pack_at
from policycheck.policy.load import load_policy, model_of, read_policy
from policycheck.policy.model import Policy
from policycheck.yamlfile import Place

NO_GIT = "git is needed to read `{given}`, and it is not installed; give two folders instead"


class Version(Struct, frozen=True):
    """One version of a policy, and where it was found: as the user named it, its git commit, and the folder
    that stands for the root of the repository then."""

    given: str
    policy: Policy
    commit: str | None = None
    root: Path | None = None

    def where(self, place: Place) -> str:
        """A place as file, line and column; of a file from git, as it is named there."""
        line, column = place.document.find(place.path, key=True)
        file = place.document.file
        if self.root is None:
            return f"{shown_path(file)}:{line}:{column}"
        revision = self.given.partition(":")[0]
        return f"{revision}:{file.resolve().relative_to(self.root).as_posix()}:{line}:{column}"


@contextmanager
def opened(given: str) -> Iterator[Version]:
    """The version of that name, loaded and checked; files from git are there while the block lasts.

    UsageError when there is no such version, PolicyError when something in it is wrong.
    """
    if ":" not in given or Path(given).is_dir():
        _, folder = find_pack(given, None).versions[-1]
        yield Version(given, checked(load_policy(folder)))
        return
    revision, _, path = given.partition(":")
    commit = commit_of(given, revision)
    inside = inside_repository(given, path)
    with tempfile.TemporaryDirectory(prefix="policycheck-") as name:
        root = Path(name).resolve() / "two" / "deep"  # no record model is looked for outside
        root.mkdir(parents=True)
        take_out(given, commit, inside, root)
        pack = pack_at(root / inside)
        if pack is None:
            raise UsageError(f"`{given}` has no policy.yaml, nor folders named by a date that have one")
        folder = pack.versions[-1][1]
        try:
            yield Version(given, checked(read_policy(folder, model_of(folder))), commit, root)
        except PolicyError as error:
            raise PolicyError(
                replace(p, file=p.file.replace(root.as_posix() + "/", f"{revision}:")) for p in error.problems
            ) from None


def checked(policy: Policy) -> Policy:
    """The policy, or PolicyError when anything in its rules is wrong."""

    def check() -> bool:
        check_whole(policy)
        return True

    kept(key_of("checked", [policy.key]) if policy.key else "", check)
    return policy


def commit_of(given: str, revision: str) -> str:
    """The commit that a revision names."""
    git(given, "rev-parse", "--show-toplevel")
    wanted = ("rev-parse", "--verify", "--quiet", "--end-of-options", revision + "^{commit}")
    found = git(given, *wanted, check=False)
    if not found.strip():
        raise UsageError(f"there is no git revision `{revision}` here, nor a folder `{given}`")
    return found.decode().strip()


def inside_repository(given: str, path: str) -> str:
    """The folder's path from the root of the repository; `./` begins at where the user is, as in git."""
    if path.startswith("./"):
        path = git(given, "rev-parse", "--show-prefix").decode().strip() + path[2:]
    parts = PurePosixPath(path.strip("/")).parts
    if not parts or ".." in parts:
        raise UsageError(f"`{given}` names no folder; write REVISION:path/of/the/folder")
    return "/".join(parts)


def take_out(given: str, commit: str, folder: str, root: Path) -> None:
    """The folder as it stood in a commit, with the record models up to two folders above it."""
    above = [p / "records.yaml" for p in list(PurePosixPath(folder).parents)[:2]]
    listed = git(given, "ls-tree", "-d", "--full-tree", commit, "--", folder)
    if not listed.strip():
        raise UsageError(f"`{given}`: there is no folder `{folder}` in that revision")
    wanted = ("ls-tree", "-z", "--name-only", "--full-tree", commit, "--")
    models = git(given, *wanted, *(p.as_posix() for p in above)).decode().split("\0")
    packed = git(given, "archive", "--format=tar", commit, "--", folder, *filter(None, models), top=True)
    try:
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            if hasattr(tarfile, "data_filter"):  # Python 3.11.4 and later
                archive.extraction_filter = tarfile.data_filter
            archive.extractall(root)
    except tarfile.TarError as error:
        raise UsageError(f"`{given}` cannot be taken out of git: {error}") from None


def git(given: str, *arguments: str, check: bool = True, top: bool = False) -> bytes:
    """What git prints; UsageError when it is not there or refuses."""
    where = ["-C", git(given, "rev-parse", "--show-toplevel").decode().rstrip("\n")] if top else []
    try:
        done = subprocess.run(["git", *where, *arguments], capture_output=True, check=False)
    except FileNotFoundError:
        raise UsageError(NO_GIT.format(given=given)) from None
    if done.returncode and check:
        said = done.stderr.decode(errors="replace").strip().split("\n")[0]
        raise UsageError(f"`{given}` cannot be read from git here, which says: {said}")
    return done.stdout
