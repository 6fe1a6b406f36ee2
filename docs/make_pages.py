"""Make the pages that come from the project's own data: `python docs/make_pages.py`; `--check` only compares.

records.md      from policies/records.yaml, and from what the rules of the policies read
policies/*.md   from each policy that comes with policycheck, its newest version
reference.md    from the command line
errors.md       messages from the sources; what they mean is written by hand in the page itself
"""

from __future__ import annotations

import sys
from pathlib import Path

from pages import errors, policy, problems, records, reference
from pages.reading import readings_of
from policycheck.errors import PolicycheckError
from policycheck.policy.find import packs, shipped
from policycheck.policy.load import load_policy
from policycheck.records.model import load_model

HERE = Path(__file__).resolve().parent
SOURCES = (HERE.parent / "engine", HERE.parent / "checks")


def pages() -> dict[Path, str]:
    """All pages by their file."""
    model = load_model(shipped() / "records.yaml")
    loaded = [load_policy(pack.versions[-1][1]) for pack in packs(shipped())]
    both = {p.id: (p, readings_of(p)) for p in loaded}
    found = {HERE / "policies" / f"{name}.md": policy.page(*of) for name, of in both.items()}
    found[HERE / "records.md"] = records.page(model, both)
    found[HERE / "reference.md"] = reference.page()
    written = HERE / "errors.md"
    codes = problems.problems_in(SOURCES) | problems.checks_of(model.document.data)
    found[written] = errors.page(written.read_text(encoding="utf-8"), codes)
    return found


def main(arguments: list[str]) -> int:
    """Write the pages, or with `--check` name those that are not current and return 1."""
    stale = []
    try:
        made = pages()
    except PolicycheckError as error:
        print(error, file=sys.stderr)
        return 1
    for file, text in made.items():
        if file.exists() and file.read_text(encoding="utf-8") == text:
            continue
        stale.append(file)
        if "--check" not in arguments:
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="\n")
    for file in stale:
        name = file.relative_to(HERE.parent).as_posix()
        if "--check" in arguments:
            print(f"{name} is not current; run python docs/make_pages.py", file=sys.stderr)
        else:
            print(f"wrote {name}")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
