"""Finding a policy: by id, by id and version, by folder, or by the school that the records name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct
from policycheck_engine import nearest

from policycheck.cache import kept, key_of, text_of
from policycheck.errors import UsageError
from policycheck.policy.load import VERSION
from policycheck.policy.model import Policy
from policycheck.yamlfile import load


class Pack(Struct, frozen=True):
    """A policy with its versions, oldest first: the day each comes into force ("" when it has none)."""

    id: str
    school: str | None
    versions: tuple[tuple[str, Path], ...]

    def only(self, version: str) -> Pack:
        """The pack with one of its versions."""
        chosen = tuple(v for v in self.versions if v[0] == version)
        if not chosen:
            hint = nearest(version, [v for v, _ in self.versions])
            raise UsageError(f"`{self.id}` has no version `{version}`; {hint}".rstrip("; "))
        return Pack(self.id, self.school, chosen)


def shipped() -> Path:
    """The folder of the policies that come with policycheck."""
    here = Path(__file__).resolve().parents[1]
    inside = here / "policies"
    return inside if inside.is_dir() else here.parents[1] / "policies"


def packs(folder: Path) -> Iterator[Pack]:
    """The policies that stand in a folder."""
    for below in sorted(folder.iterdir()):
        if below.is_dir():
            found = pack_at(below)
            if found is not None:
                yield found


def pack_at(folder: Path) -> Pack | None:
    """The policy of a folder: one version in it, or one in each folder that is named by a date."""
    if (folder / "policy.yaml").is_file():
        version = folder.name if VERSION.fullmatch(folder.name) else ""
        versions: tuple[tuple[str, Path], ...] = ((version, folder),)
    else:
        dated = [f for f in sorted(folder.iterdir()) if VERSION.fullmatch(f.name)]
        versions = tuple((f.name, f) for f in dated if (f / "policy.yaml").is_file())
    if not versions:
        return None
    file = versions[-1][1] / "policy.yaml"
    name, school = kept(key_of("head", text_of([file])), lambda: head_of(file, folder.name))
    return Pack(name, school, versions)


def head_of(file: Path, name: str) -> tuple[str, str | None]:
    """The id of a policy, which is that name if its file gives none, and its school."""
    head = load(file, []).data
    head = head if isinstance(head, dict) else {}
    return str(head.get("policy", name)), head.get("school")


def pack_of(policy: Policy) -> Pack:
    """A version that is loaded already, as a pack of its own."""
    return Pack(policy.id, policy.school, ((policy.version, policy.folder),))


def folder_of_packs(name: str | None) -> Path | None:
    """The folder in which a policy is found by the school: the shipped one, or one that holds policies."""
    if name is None:
        return shipped()
    folder = Path(name)
    return folder if folder.is_dir() and pack_at(folder) is None and any(packs(folder)) else None


def find_pack(name: str | None, school: str | None) -> Pack:
    """The policy that is meant by `--policy`, or else by the school.

    In a folder of policies it is the one of that school, or else the one that is for any school.
    """
    folder = folder_of_packs(name)
    if folder is None:
        assert name is not None
        return named_pack(name)
    known = list(packs(folder))
    for_any = [pack for pack in known if pack.school is None]
    if school is None and not for_any:
        raise UsageError("the records do not name their school, so say which policy is meant: --policy NAME")
    found = [pack for pack in known if pack.school == school] or for_any
    if len(found) > 1:
        whose = f"the school `{school}`" if found[0].school else "any school"
        raise UsageError(f"`{folder}` has several policies for {whose}: {', '.join(p.id for p in found)}")
    if found:
        return found[0]
    schools = ", ".join(f"`{p.school}`" for p in known if p.school)
    raise UsageError(
        f"no policy is known for the school `{school}`; there are policies for {schools}. "
        "Say which is meant with --policy NAME, or correct `school_id` in the records"
    )


def named_pack(name: str) -> Pack:
    """The policy of an id, id@version or folder."""
    base, _, version = name.partition("@")
    pack: Pack | None = None
    if Path(base).is_dir():
        pack = pack_at(Path(base))
        if pack is None:
            raise UsageError(
                f"the folder `{base}` has no policy.yaml, nor folders named by a date that have one"
            )
    else:
        known = {p.id: p for p in packs(shipped())}
        pack = known.get(base)
        if pack is None:
            hint = nearest(base, known)
            raise UsageError(f"there is no policy or folder `{base}`" + (f"; {hint}" if hint else ""))
    return pack.only(version) if version else pack
