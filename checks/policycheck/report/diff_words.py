"""What the text and the Markdown of a review say alike, from its form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from policycheck.messages import moment

Form = Mapping[str, Any]

NO_DIFFERENCE = "no difference found"
WORDS = ("stricter", "looser", "incomparable", NO_DIFFERENCE, "equivalent", "not decided")

STATUSES = {
    "unchanged": "unchanged",
    "changed": "changed",
    "reworded": "reworded only",
    "moved": "moved",
    "renamed": "renamed",
    "split": "split",
    "merged": "merged",
    "added": "added",
    "removed": "removed",
}


def side(form: Form, which: str) -> str:
    """A version: the day it comes into force, and how the user named it."""
    version = form[which]
    when = f"in force from {moment(version['version'])}" if version["version"] else "no date"
    commit = f", commit {version['commit'][:12]}" if version["commit"] else ""
    return f"{when} ({version['given']}{commit})"


def upshot(form: Form) -> str:
    """What became of the clauses, in a sentence."""
    counts = form["summary"]["clauses"]
    if not form["summary"]["different"]:
        return f"Nothing changed: {counted(counts['unchanged'], 'clause')}."
    said = [f"{counts[name]:,} {words}" for name, words in STATUSES.items() if counts[name]]
    old, new = form["old"]["clauses"], form["new"]["clauses"]
    return f"{counted(old, 'clause')} before, {new:,} now: {', '.join(said)}."


def upshot_of_rules(form: Form) -> str:
    """The verdicts on the rules that changed, in a sentence; "" when none did."""
    rules = [rule for clause in form["clauses"] for rule in clause["rules"]]
    found = Counter(verdict_word(rule["verdict"]) for rule in rules)
    said = [f"{found[word]:,} {word}" for word in WORDS if found[word]]
    return f"{counted(len(rules), 'rule')} changed: {', '.join(said)}." if said else ""


def counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def clause_title(clause: Form) -> str:
    """A clause's id, with what it was called where that was something else."""
    others = [w for w in clause["was"] if w != clause["id"]]
    return f"{clause['id']} (was {', '.join(others)})" if others else str(clause["id"])


def rule_title(rule: Form) -> str:
    """A rule's id, with what it was called where that was something else."""
    if rule["old"] and rule["new"] and rule["old"] != rule["new"]:
        return f"{rule['new']} (was {rule['old']})"
    return str(rule["new"] or rule["old"])


def verdict_words(verdict: Form) -> str:
    """`stricter, proved: why`."""
    word = verdict_word(verdict)
    if word in ("not decided", NO_DIFFERENCE):
        return f"{word}: {verdict['why']}"
    return f"{word}, {'proved' if verdict['proved'] else 'not proved'}: {verdict['why']}"


def verdict_word(verdict: Form) -> str:
    """The verdict in a word or two. Two rules that are only not known to differ are not called equivalent."""
    if verdict["verdict"] == "equivalent" and not verdict["proved"]:
        return NO_DIFFERENCE
    return str(verdict["verdict"])


def witness_words(witness: Form) -> str:
    """What each version makes of the records behind a verdict, and up to which day if they do not say."""
    day = f" (Judged up to {moment(witness['as_of'])}.)" if witness["as_of"] else ""
    return f"({witness['direction']}) {witness['says']}{day}"


def clause_verdicts(clause: Form) -> str:
    """The verdicts of a clause's rules in a few words; what is equivalent only when nothing else is."""
    words = dict.fromkeys(verdict_word(rule["verdict"]) for rule in clause["rules"])
    if len(words) > 1:
        words.pop("equivalent", None)
    return ", ".join(words)


def term_name(replay: Form) -> str:
    """Which term was replayed."""
    return str(replay["records"]["term"] or replay["records"]["sources"][0])


def rule_replays(form: Form, rule: Form) -> Iterator[tuple[str, Form]]:
    """What a rule found in each term in which its two versions differ."""
    for replay in form["replay"]:
        for found in replay["rules"]:
            if (found["old"], found["new"]) == (rule["old"], rule["new"]):
                yield term_name(replay), found


def figures(found: Form) -> str:
    """`1 gained, 2 lost; met 390, was 391; breach 2, was 1`."""
    said = ", ".join(f"{len(found[key]):,} {key}" for key in ("gained", "lost", "changed") if found[key])
    parts = [said or "no finding gained or lost", *shifts(found["outcomes"])]
    if found["old"] is None and not found["applied"]["new"]:
        parts.append("nothing that it applies to")
    return "; ".join(parts)


def shifts(outcomes: Form) -> list[str]:
    """The outcomes that more or fewer subjects have than before."""
    old, new = outcomes["old"] or {}, outcomes["new"] or {}
    names = [name for name in dict.fromkeys([*new, *old]) if new.get(name, 0) != old.get(name, 0)]
    return [f"{name} {new.get(name, 0):,}, was {old.get(name, 0):,}" for name in names]


def clause_figures(form: Form, clause: Form) -> str:
    """What the rules of a clause gained and lost in the terms, in a few words."""
    sums = {"gained": 0, "lost": 0, "changed": 0}
    for rule in clause["rules"]:
        for _, found in rule_replays(form, rule):
            for key in sums:
                sums[key] += len(found[key])
    marks = {"gained": "+", "lost": "-", "changed": "~"}
    return " ".join(f"{marks[key]}{n:,}" for key, n in sums.items() if n)


def totals(replay: Form) -> str:
    """What came of a term as a whole."""
    said = ", ".join(f"{replay[key]:,} {key}" for key in ("gained", "lost", "changed") if replay[key])
    return "; ".join([f"findings: {said or 'none gained, lost or changed'}", *shifts(replay["outcomes"])])


def replay_head(replay: Form) -> str:
    """Which records, up to which day."""
    records = replay["records"]
    parts = [records["school_name"] or records["school"], records["term"] and f"term {records['term']}"]
    parts.append(records["as_of"] and f"as of {moment(records['as_of'])}")
    parts.append(f"{records['rows']:,} records")
    return ", ".join(str(p) for p in parts if p)
