"""Whether a folder holds one school or several, and which.

A folder is read by what lies directly in it:

    one school       files named after relations
    a trust, apart   a folder or term file for each school, and no file named after a relation
    a trust, mixed   files, or folders of part files, named after relations, whose rows name their school

What could be more than one of these is an error. Names that begin with a dot or a line are left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

from msgspec import Struct

from policycheck.digests import records_digest
from policycheck.errors import UsageError, shown_path
from policycheck.records.model import RecordModel
from policycheck.records.read import READERS, Source, open_records
from policycheck.records.split import Split, SplitRow, relation_of, split_folder

TERM = ".json"
"""What the file of a whole term ends in."""


class Apart(Struct, frozen=True):
    """A school with a folder or a term file of its own; `name` is that of its result."""

    name: str
    path: Path

    @property
    def shown(self) -> str:
        """Where its records are, for people."""
        return shown_path(self.path)

    @property
    def asked(self) -> tuple[str, str | None]:
        """How `run` is asked for it: path and school."""
        return self.term.as_posix(), None

    @property
    def term(self) -> Path:
        """What is read: a folder of files, or a term file, which may be the only one in a folder."""
        terms = sorted(term_files(self.path)) if self.path.is_dir() and not own_files(self.path) else []
        if len(terms) > 1:
            names = ", ".join(f"`{t.name}`" for t in terms[:3])
            raise UsageError(f"`{self.shown}` has {len(terms)} term files ({names}); leave one of them there")
        return terms[0] if terms else self.path

    def digest(self) -> str:
        """SHA-256 of its records."""
        return records_digest(self.term)

    def open(self) -> Source:
        """Its records."""
        return open_records(self.term)


class Mixed(Struct, frozen=True):
    """A school of a folder whose files hold several; `rows` fetches its rows."""

    split: Split
    school: str
    rows: Callable[[], Iterable[SplitRow]]

    @property
    def name(self) -> str:
        """The name of its result."""
        return file_name(self.school)

    @property
    def shown(self) -> str:
        """Where its records are, for people."""
        return f"{shown_path(self.split.folder)}, school {self.school}"

    @property
    def asked(self) -> tuple[str, str | None]:
        """How `run` is asked for it: path and school."""
        return self.split.folder.as_posix(), self.school

    def digest(self) -> str:
        """SHA-256 of its rows."""
        digest = self.open().digest
        assert digest is not None
        return digest

    def open(self) -> Source:
        """Its records."""
        return self.split.source(self.school, self.rows)


School = Apart | Mixed


class Trust(Struct, frozen=True):
    """A folder with the records of several schools: each apart, or mixed."""

    path: Path
    apart: tuple[Apart, ...] = ()
    mixed: Split | None = None


def trust_at(path: Path, model: RecordModel) -> Trust | None:
    """The trust in a folder, or None when it is one school's, or no folder.

    Raises UsageError when that cannot be told, RecordsError when a file of mixed schools is of no relation.
    """
    if not path.is_dir():
        return None
    own = [e for e in entries(path) if relation_of(e, model) is not None]
    folders = [e for e in entries(path) if e.is_dir() and relation_of(e, model) is None]
    if own:
        schools = [f for f in folders if own_files(f) or list(term_files(f))]
        if schools:
            raise UsageError(
                f"`{shown_path(path)}` has files of its own, such as `{own[0].name}`, and folders with "
                f"records, such as `{schools[0].name}`, so it cannot be told whether it is one school or "
                "several; move the one or the other elsewhere"
            )
        mixed = split_folder(path, model)
        return Trust(path, mixed=mixed) if mixed else None
    schools = [*folders, *term_files(path)]
    if not any(s.is_file() or own_files(s) or list(term_files(s)) for s in schools):
        return None
    return Trust(path, apart=tuple(named(schools)))


def named(paths: list[Path]) -> Iterator[Apart]:
    """The schools at some places, by name."""
    seen: dict[str, Path] = {}
    for path in sorted(paths, key=lambda p: (p.stem if p.is_file() else p.name, p.name)):
        name = file_name(path.stem if path.is_file() else path.name)
        if name in seen:
            both = f"`{shown_path(seen[name])}` and `{shown_path(path)}`"
            raise UsageError(f"{both} would both have the result `{name}.json`; rename one of them")
        seen[name] = path
        yield Apart(name, path)


def entries(folder: Path) -> list[Path]:
    """What lies in a folder and is not hidden."""
    return [e for e in sorted(folder.iterdir()) if not e.name.startswith((".", "_"))]


def own_files(folder: Path) -> list[Path]:
    """The files of a folder that hold a relation."""
    return [e for e in entries(folder) if e.is_file() and e.suffix.lower() in READERS]


def term_files(folder: Path) -> Iterator[Path]:
    """The files of a folder that hold a whole term."""
    return (e for e in entries(folder) if e.is_file() and e.suffix.lower() == TERM)


def file_name(school: str) -> str:
    """A school as the name of a file that every system allows and nothing takes for hidden."""
    name = quote(school, safe=" ()+,=@")
    return f"%{ord(name[0]):02X}{name[1:]}" if name.startswith((".", "_", " ")) else name
