"""Witnesses as term files: records on which two versions of a rule differ, for `policycheck run`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from policycheck.review.review import Opinion, Pair


def witness_files(opinions: Mapping[Pair, Opinion]) -> Iterator[tuple[str, str]]:
    """The name and the text of a term file for each witness: RULE.DIRECTION.json."""
    for (old, new), opinion in opinions.items():
        for witness in opinion.witnesses:
            name = re.sub(r"[^A-Za-z0-9._-]", "_", str(new or old))
            text = json.dumps(witness.records, ensure_ascii=False, indent=1) + "\n"
            yield f"{name}.{witness.direction}.json", text
