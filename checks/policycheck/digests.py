"""SHA-256 of what goes into a result."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from policycheck.policy.model import Policy
from policycheck.records.model import RecordModel
from policycheck.records.read import Source


def hashes(source: Source, policies: Iterable[Policy]) -> dict[str, str]:
    """SHA-256 of the records, and of the files of each version by its name."""
    rules = {p.name: rules_digest(p.folder, p.model) for p in policies}
    return {"records": source.digest or records_digest(source.path), **rules}


def rules_digest(folder: Path, model: RecordModel) -> str:
    """SHA-256 of the files of a version, its record model among them."""
    return digest([*sorted(folder.glob("*.yaml")), model.document.file])


def records_digest(path: Path) -> str:
    """SHA-256 of a term's file, or of the files of its folder."""
    return digest([path] if path.is_file() else sorted(f for f in path.iterdir() if f.is_file()))


def digest(files: Iterable[Path]) -> str:
    """One hash of several files, by name and content."""
    total = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            total.update(file.name.encode() + b"\0" + hashlib.file_digest(stream, "sha256").digest())
    return total.hexdigest()
