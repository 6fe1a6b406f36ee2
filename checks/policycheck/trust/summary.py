"""What came of all schools of a trust: the versioned public form `policycheck/trust/1`.

Only counts are kept of a school, so that their number does not matter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from policycheck import __version__
from policycheck.report.json_form import OUTCOMES, counted
from policycheck.trust.school import Form, Judged, problem

FORM = "policycheck/trust/1"
SEVERITIES = ("critical", "major", "minor")


def brief(judged: Judged) -> Judged:
    """The same without findings and clauses: what a summary needs."""
    if judged.form is None:
        return judged
    form = judged.form
    rules = [{k: r[k] for k in ("id", "clauses", "applied", "outcomes")} for r in form["rules"]]
    kept = {**{k: form[k] for k in ("policy", "records", "summary", "sections")}, "rules": rules}
    return Judged(judged.name, judged.shown, kept)


class Sum(Struct):
    """Outcomes of several schools added up, and how many schools had each; `place` is where it stands in the
    document."""

    place: int = 0
    about: dict[str, Any] = field(default_factory=dict)
    schools: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    schools_with: Counter[str] = field(default_factory=Counter)

    def add(self, outcomes: Mapping[str, int], sign: int, **counts: int) -> None:
        """Put a school in, or with -1 take it out again."""
        self.schools += sign
        for name, n in counts.items():
            self.counts[name] += sign * n
        for name, n in outcomes.items():
            self.outcomes[name] += sign * n
            self.schools_with[name] += sign * bool(n)

    def as_json(self) -> dict[str, Any]:
        """The counts in a fixed order."""
        return {
            "schools": self.schools,
            **self.counts,
            "subjects": sum(self.outcomes[o] for o in OUTCOMES),
            "outcomes": counted(self.outcomes),
            "schools_with": counted(self.schools_with),
        }


class PolicySum(Struct):
    """The schools that one version of a policy judged, added up as a whole, by section and by rule."""

    whole: Sum = field(default_factory=Sum)
    severities: Counter[str] = field(default_factory=Counter)
    sections: dict[str, Sum] = field(default_factory=dict)
    rules: dict[str, Sum] = field(default_factory=dict)


class Summary:
    """Schools as they are judged, in any order."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.policies: dict[tuple[str, str, str], PolicySum] = {}
        self.schools: dict[str, dict[str, Any]] = {}
        self.failed: dict[str, dict[str, Any]] = {}

    def add(self, judged: Judged) -> None:
        """Put a school in."""
        if judged.form is None:
            problems = list(judged.problems)
            self.failed[judged.name] = {"name": judged.name, "source": judged.shown, "problems": problems}
            return
        self.schools[judged.name] = school_as_json(judged)
        self.count(judged.form, 1)

    def count(self, form: Form, sign: int) -> None:
        """Add a school's outcomes up, or with -1 take them out."""
        policy = form["policy"]
        key = policy["id"], policy["version"], policy["title"]
        sums = self.policies.setdefault(key, PolicySum())
        summary = form["summary"]
        sums.whole.add(summary["outcomes"], sign)
        for name in SEVERITIES:
            sums.severities[name] += sign * summary["severities"][name]
        for i, section in enumerate(form["sections"]):
            about = {k: section[k] for k in ("id", "heading", "clauses", "rules")}
            idle = section["not_exercised"]
            sums.sections.setdefault(section["id"], Sum(i, about)).add(
                section["outcomes"], sign, not_exercised=idle
            )
        for i, rule in enumerate(form["rules"]):
            about = {"id": rule["id"], "clauses": rule["clauses"]}
            sums.rules.setdefault(rule["id"], Sum(i, about)).add(
                rule["outcomes"], sign, applied=rule["applied"]
            )

    def twice(self) -> dict[str, list[str]]:
        """The results that are of one and the same school, by the id that their records name."""
        names: dict[str, list[str]] = {}
        for name in sorted(self.schools):
            school = self.schools[name]["school"]
            if school is not None:
                names.setdefault(school, []).append(name)
        return {school: found for school, found in names.items() if len(found) > 1}

    def take_out(self, name: str, form: Form, others: list[str]) -> None:
        """A school that turned out to be there twice counts as one that could not be judged."""
        school = self.schools.pop(name)
        self.count(form, -1)
        rest = ", ".join(f"`{o}`" for o in others if o != name)
        said = f"its records say that it is the school `{school['school']}`, and so do those of {rest}"
        self.add(Judged(name, school["source"], problems=(problem(said),)))

    def as_json(self) -> dict[str, Any]:
        """The public form, in a fixed order."""
        policies = [(key, p) for key, p in sorted(self.policies.items()) if p.whole.schools]
        outcomes: Counter[str] = Counter()
        schools_with: Counter[str] = Counter()
        severities: Counter[str] = Counter()
        for _, p in policies:
            outcomes.update(p.whole.outcomes)
            schools_with.update(p.whole.schools_with)
            severities.update(p.severities)
        return {
            "form": FORM,
            "records": {"source": self.source},
            "summary": {
                "schools": len(self.schools) + len(self.failed),
                "judged": len(self.schools),
                "failed": len(self.failed),
                "subjects": sum(outcomes.values()),
                "outcomes": counted(outcomes),
                "schools_with": counted(schools_with),
                "severities": {name: severities[name] for name in SEVERITIES},
            },
            "policies": [policy_as_json(key, p) for key, p in policies],
            "schools": [self.schools[name] for name in sorted(self.schools)],
            "failed": [self.failed[name] for name in sorted(self.failed)],
            "receipt": {"program": f"policycheck {__version__}"},
        }


def school_as_json(judged: Judged) -> dict[str, Any]:
    """A school's line in the form."""
    assert judged.form is not None
    records, policy = judged.form["records"], judged.form["policy"]
    return {
        "name": judged.name,
        "source": judged.shown,
        "school": records["school"],
        "school_name": records["school_name"],
        "term": records["term"],
        "as_of": records["as_of"],
        "rows": records["rows"],
        "left_out": len(records["left_out"]),
        "policy": {"id": policy["id"], "version": policy["version"]},
        "result": f"schools/{judged.name}.json",
        "summary": judged.form["summary"],
    }


def policy_as_json(key: tuple[str, str, str], sums: PolicySum) -> dict[str, Any]:
    """What one version of a policy found."""

    def listed(parts: Mapping[str, Sum]) -> list[dict[str, Any]]:
        found = sorted(parts.items(), key=lambda item: (item[1].place, item[0]))
        return [{**part.about, **part.as_json()} for _, part in found]

    return {
        "id": key[0],
        "version": key[1],
        "title": key[2],
        **sums.whole.as_json(),
        "severities": {name: sums.severities[name] for name in SEVERITIES},
        "sections": listed(sums.sections),
        "rules": listed(sums.rules),
    }
