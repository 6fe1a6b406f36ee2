"""The rules of a relation as one Python function: nested loops over the rows that indexes find.

`written` gives the source of a function `derive`, which returns the relation's rows as keys, and what
each of its parameters stands for. It says nothing of any records, so that it can be kept and used again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import count
from typing import Any, Protocol
from typing import Literal as OneOf

from msgspec import Struct, field

from policycheck_engine.functions import FUNCTIONS
from policycheck_engine.order import Part, part
from policycheck_engine.program import (
    Aggregate,
    Atom,
    Bind,
    Body,
    Call,
    Compare,
    Const,
    Either,
    Literal,
    Member,
    Not,
    Relation,
    Rule,
    Term,
    Var,
    names_in,
    taken,
    terms,
    variables,
    walk,
)
from policycheck_engine.unfold import computed, substituted, term_under

OPERATOR = {"=": "==", "!=": "!="}

WORTH = 10
"""A relation that was put off is derived when it might save so much work for each of its rows' uses."""

COMMON = 4
"""Values that more than every so manieth row has are looked for among all rows, when that is done once."""

FEW_ROWS = 16
"""A loop over so few rows may come first without a thought."""

SHARED = 3
"""Where so many rows share the values that are used of them, it is the values that are gone through."""

SAFE = 2
"""So many times as much work it must seem to derive a relation that was put off, since guesses go wrong."""

FEWER = 4
"""Of tests of which one must hold, each is guessed to be made so many times less than the one before."""

DEEPEST = 15
"""So many loops inside each other; Python allows a few more, and what is deeper is a function of its own."""

SPREAD = 16
"""Where so many rows share the values they are found by, those between two bounds are searched for."""

Kind = OneOf["rows", "one", "index", "keys", "values", "range", "add", "between", "days", "given"]
Need = tuple[Kind, str, tuple[Any, ...]]
"""What a parameter stands for: the rows of a relation; its rows by the values at some places, which one row
has or several, or those values alone, to be looked up or gone through; a function that finds rows by such
values and between two bounds; a function that counts by a calendar, or the days of all of them; or a named
constant, with the value it had when this was written."""


class Draft(Struct, frozen=True):
    """A function as it was written: its source, what to call it with, and a guess how much work it is. Of a
    relation that may not have to be derived, also its rules."""

    source: str
    needs: tuple[Need, ...]
    work: float
    rules: tuple[Rule, ...] = ()


class Facts(Protocol):
    """What is asked of the facts so far. It decides how fast a rule is, never what it gives."""

    def guess(self, relation: str, places: tuple[int, ...]) -> float:
        """How many rows of a relation have the same values at some places, on average."""

    def put_off(self, relation: str) -> Draft | None:
        """A relation that is derived only if its rules are not written out wherever it is read."""

    def indexed(self, relation: str) -> Collection[tuple[int, ...]]:
        """The places by whose values rows of a relation can be looked up already."""

    def shared(self, draft: Draft) -> str:
        """The name under which the function that a draft gives can be had, as if it were the rows of a
        relation."""


class Name(Struct, frozen=True):
    """A Python expression, whether it may be None, whether it is the same for all rows, and which row of
    which relation it comes from, at which place."""

    text: str
    unknown: bool
    fixed: bool = False
    row: tuple[str, str, int] | None = None


Env = dict[str, Name]


class Block(Struct, dict=True):
    """Lines of a function while it is being written, at some depth.

    `times` is a guess how often what comes next is done; `first` says that the first match ends it all; `at`
    are the depths of its loops, of which there are `loops` with those around it.
    """

    depth: int
    times: float = 1
    first: bool = False
    lines: list[str] = field(default_factory=list)
    last: list[str] = field(default_factory=list)
    loops: int = 0
    at: list[int] = field(default_factory=list)

    def add(self, line: str) -> None:
        self.lines.append("    " * self.depth + line)

    def require(self, test: str) -> None:
        """Go on only when the test holds."""
        self.add(f"if {test}:")
        self.depth += 1

    def loop(self, row: str, rows: str) -> None:
        """Go on for each of some rows."""
        self.loops += 1
        if self.loops % DEEPEST == 0:
            name = f"deeper{self.loops}"
            self.last.append(
                "    " * self.depth + (f"if {name}(): return True" if self.first else f"{name}()")
            )
            self.add(f"def {name}():")
            self.depth += 1
        self.at.append(self.depth)
        self.add(f"for {row} in {rows}:")
        self.depth += 1

    def unless(self, inner: Block) -> None:
        """Go on unless the loops of a block at this depth have a match: the first one leaves them all."""
        inner.add("break")
        if inner.at[:1] != [self.depth]:  # there is something before the first loop that may fail
            inner.lines = ["    " * self.depth + "for _ in ONCE:", *("    " + line for line in inner.lines)]
            inner.at = [self.depth, *(depth + 1 for depth in inner.at)]
        for depth in reversed(inner.at[1:]):
            inner.lines += ["    " * depth + line for line in ("else:", "    continue", "break")]
        self.lines += inner.lines
        self.add("else:")
        self.depth += 1

    def end(self) -> list[str]:
        """All lines, now that nothing more comes."""
        return [*self.lines, *reversed(self.last)]


def written(rules: Iterable[Rule], relations: Mapping[str, Relation], facts: Facts) -> Draft:
    """The function `derive` for all rules of a relation."""
    rules = tuple(rules)
    copied = copy_of(rules[0], relations) if len(rules) == 1 else None
    if copied is not None:
        same = "p0 if isinstance(p0, dict) else dict.fromkeys(p0)"
        return Draft(f"def derive(p0):\n    return {same}\n", (("rows", copied, ()),), 0, rules)
    writer = Writer(relations, facts)
    loops = [line for rule in rules for line in writer.rule(rule)]
    return writer.draft(["out = {}", *loops, "return out"], rules)


def copy_of(rule: Rule, relations: Mapping[str, Relation]) -> str | None:
    """The relation that a rule gives all rows of, just as they are, if it does no more than that."""
    if len(rule.body) != 1 or not isinstance(rule.body[0], Atom):
        return None
    atom = rule.body[0]
    names = [term.name for _, term in atom.args if isinstance(term, Var)]
    whole = tuple(name for name, _ in atom.args) == relations[atom.relation].names
    same = [term for _, term in rule.args] == [term for _, term in atom.args]
    return atom.relation if whole and same and len(set(names)) == len(atom.args) else None


class Writer(Struct, dict=True):
    """Writes the function of one relation."""

    relations: Mapping[str, Relation]
    facts: Facts
    marks: Iterator[int] = field(default_factory=count)
    needs: dict[Need, str] = field(default_factory=dict)
    fixed: list[str] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    seen: dict[int, Part] = field(default_factory=dict)
    count: int = 0
    work: float = 0

    def draft(self, body: Iterable[str], rules: tuple[Rule, ...] = ()) -> Draft:
        """What was written, as a function."""
        head = f"def derive({', '.join(self.needs.values())}):"
        source = "\n    ".join([head, *self.fixed, *self.functions, *body]) + "\n"
        return Draft(source, tuple(self.needs), self.work, rules)

    def fresh(self, letter: str) -> str:
        self.count += 1
        return f"{letter}{self.count}"

    def need(self, kind: Kind, name: str, places: tuple[Any, ...] = ()) -> str:
        """The parameter for something that is asked for."""
        return self.needs.setdefault((kind, name, places), f"p{len(self.needs)}")

    def rule(self, rule: Rule) -> list[str]:
        """The loops that add the rows of one rule."""
        block = Block(0)
        wanted = {v.name for _, term in rule.args for v in variables(term)}
        env = self.body(rule.body, {}, block, wanted)
        row = "".join(f"{self.term(t, env, block).text}, " for _, t in rule.args)
        block.add(f"out[({row})] = None")
        return block.end()

    # Bodies

    def parts(self, body: Body) -> list[Part]:
        """What is known of each literal of a body; worked out once for each."""
        for literal in body:
            if id(literal) not in self.seen:
                self.seen[id(literal)] = part(literal)
        return [self.seen[id(literal)] for literal in body]

    def body(self, body: Body, env: Env, block: Block, wanted: Iterable[str] = ()) -> Env:
        """Write the loops and tests of a body; what comes after is done for each of its matches, at least
        for each that differs in the wanted variables."""
        env = dict(env)
        left = self.parts(body)
        lacking = {name for p in left for name in p.gives} - set(env)
        uses = Counter([name for p in left for name in p.names])
        uses.update(wanted)
        matched: list[Atom] = []
        while left:
            chosen = self.next(left, lacking, env, uses, block.times)
            left.remove(chosen)
            uses.subtract(chosen.names)
            if isinstance(chosen.literal, Atom):
                if any(self.implied(chosen.literal, atom, env, uses) for atom in matched):
                    continue
                matched.append(chosen.literal)
            self.literal(chosen.literal, env, block, uses, left)
            lacking -= chosen.gives
        return env

    def implied(self, atom: Atom, other: Atom, env: Env, uses: Counter[str]) -> bool:
        """Whether a row that matches another atom matches this one too."""
        if atom.relation != other.relation or atom.finds or other.finds:
            return False
        columns = {c.name: c for c in self.relations[atom.relation].columns}
        own = Counter(t.name for _, t in atom.args if isinstance(t, Var))
        return all(
            (n, t) in other.args and not columns[n].unknown
            for n, t in atom.args
            if not isinstance(t, Var) or t.name in env or uses[t.name] or own[t.name] > 1
        )

    def next(
        self, left: list[Part], lacking: set[str], env: Collection[str], uses: Counter[str], times: float
    ) -> Part:
        """The literal to write next. Where nothing has to do with what is known, all beginnings are thought
        through, but for those that one of few rows makes needless."""
        ready = [p for p in left if not p.needs & lacking]
        costs = [((p.waits(left), *self.cost(p, env, uses, times)), i) for i, p in enumerate(ready)]
        (waits, rank, work), first = min(costs)
        if rank == 5 and not waits and work > FEW_ROWS:
            begin = [ready[i] for (waits, rank, _), i in costs if rank == 5 and not waits]
            if len(begin) > 1:
                return min(begin, key=lambda p: self.outlook(p, left, env, uses, times))
        return ready[first]

    def outlook(
        self, chosen: Part, left: list[Part], env: Collection[str], uses: Counter[str], times: float
    ) -> float:
        """A guess how much work the atoms of a body are, when this one comes first."""
        left, known, uses, work = list(left), set(env), Counter(uses), 0.0
        lacking = {name for p in left for name in p.gives} - known
        while True:
            left.remove(chosen)
            uses.subtract(chosen.names)
            if isinstance(chosen.literal, Atom) and self.facts.put_off(chosen.literal.relation) is None:
                found = self.found(chosen.literal, known)
                work += self.price(chosen.literal, known, found)
                work += times * (2 + found * (3 if found > 1 and known else 1))
                times *= max(found, 1) if any(uses[name] for name in chosen.gives - known) else 1
            known |= chosen.gives
            lacking -= chosen.gives
            left = [p for p in left if isinstance(p.literal, Atom) or p.gives]
            if not left:
                return work
            ready = [p for p in left if not p.needs & lacking]
            chosen = min(ready, key=lambda p: (p.waits(left), self.cost(p, known, uses, times)))

    def price(self, atom: Atom, known: Collection[str], found: float) -> float:
        """A guess how much work the index is that an atom is looked up by; one of lists is dearer."""
        relation = self.relations[atom.relation]
        where = [relation.index(n) for n, t in atom.args if not isinstance(t, Var) or t.name in known]
        if len(where) in (0, len(relation.columns)) or tuple(sorted(where)) in self.facts.indexed(
            relation.name
        ):
            return 0
        return self.facts.guess(relation.name, ()) * (1 if found <= 1 else 3)

    def cost(self, about: Part, env: Collection[str], uses: Counter[str], times: float) -> tuple[int, float]:
        """What to do next: what can be tested, by how long that takes; then the atom whose index and rows are
        the least work, those first that have to do with what is known."""
        literal = about.literal
        match literal:
            case Compare() | Member() | Bind():
                return (1, 2) if any(isinstance(t, Call) for t in terms(literal)) else (0, 0)
            case Not() | Either():
                return (1, 3)
            case Aggregate():
                return (3, 0)
        relation = self.relations[literal.relation]
        known = [n for n, t in literal.args if not isinstance(t, Var) or t.name in env]
        joined = any(isinstance(t, Var) and t.name in env for _, t in literal.args)
        if joined and all(name in env or uses[name] == 1 for name in about.names):
            return (1, 1)
        draft = self.facts.put_off(relation.name)
        if draft is not None and (not joined or draft.work > WORTH * times):
            return (6, 0)
        found = self.found(literal, env)
        work = found * times + (self.facts.guess(relation.name, ()) if known else 0)
        if not joined:
            return (5, work)
        return (2 if found <= 1 else 4, work)

    def found(self, atom: Atom, env: Collection[str]) -> float:
        """A guess how many rows of an atom match."""
        relation = self.relations[atom.relation]
        known = [n for n, t in atom.args if not isinstance(t, Var) or t.name in env]
        return self.facts.guess(atom.relation, tuple(sorted(relation.index(n) for n in known)))

    def literal(self, literal: Literal, env: Env, block: Block, uses: Counter[str], left: list[Part]) -> None:
        """Write a literal; `left` are those that come after it."""
        self.work += block.times
        match literal:
            case Atom():
                self.atom(literal, env, block, uses, left)
            case Bind():
                env[literal.var.name] = self.keep(self.term(literal.term, env, block), block)
            case Aggregate():
                env[literal.into.name] = self.aggregate(literal, env, block)
            case Not() if self.absent(literal.body, env, block):
                pass
            case _:
                block.require(self.test(literal, env, block))

    def atom(self, atom: Atom, env: Env, block: Block, uses: Counter[str], left: list[Part]) -> None:
        """A loop over the rows that match, or a test when nothing of them is used."""
        relation = self.relations[atom.relation]
        written_out = self.written_out(atom, env, block.times)
        if written_out is not None:
            block.require(self.test(written_out, env, block))
            return
        row = self.fresh("t")
        strict: list[tuple[int, str]] = []
        alike: list[tuple[Name, Name]] = []
        loose: list[tuple[int, Name]] = []
        found: dict[str, Name] = {}
        for column, term in atom.args:
            place = relation.index(column)
            here = Name(f"{row}[{place}]", relation.columns[place].unknown, row=(row, atom.relation, place))
            if isinstance(term, Var) and term.name not in env:
                earlier = found.get(term.name, here)
                if earlier is not here:
                    alike.append((here, earlier))
                found[term.name] = earlier if atom.sure else either(earlier, here)
                continue
            again = found.get(term.name) if isinstance(term, Var) else None
            value = again or self.term(term, env, block)
            if not atom.sure and (here.unknown or value.unknown):
                loose.append((place, value))
                alike.append((here, value))
                if isinstance(term, Var) and value.unknown:
                    found[term.name] = either(value, here)
            elif again is not None:  # a value of this very row: nothing to look it up by
                alike.append((here, value))
            else:
                if value.unknown and here.unknown:
                    block.require(f"{value.text} is not None")
                strict.append((place, value.text))
        used = [name for name in found if uses[name]]
        fewer = self.lookup(atom.relation, places(strict), block.times, bool(used) or block.first)
        if block.times <= 1 and used and self.scanned(atom, fewer):
            fewer = ()
        rest = [f"{row}[{place}] == {value}" for place, value in strict if place not in fewer]
        strict = [(place, value) for place, value in strict if place in fewer]
        if not alike and not used and not rest:
            block.require(self.some(atom.relation, strict))
            return
        if not alike and not rest and self.one_of(atom, strict, used, uses, block, left):
            return
        near = self.facts.guess(atom.relation, places(strict))
        if (
            not strict
            and not loose
            and not alike
            and not rest
            and self.few_values(atom, found, used, uses, env, block)
        ):
            return
        bounds = self.bounds(atom, env, left) if block.times > 1 and near >= SPREAD and not loose else {}
        if block.first and len(bounds) < 2:  # a search stops soon, and half of the rows are not worth it
            bounds = {}
        times = self.found(atom, env) * block.times
        block.loop(row, self.candidates(atom.relation, strict, loose, bounds))
        block.times = max(times, 1)
        self.work += block.times
        for test in rest:
            block.require(test)
        for here, value in alike:
            block.require(compared("=", here, value, atom.sure))
        for name, here in found.items():
            if uses[name]:
                env[name] = here if uses[name] == 1 else self.keep(here, block)

    def few_values(
        self, atom: Atom, found: dict[str, Name], used: list[str], uses: Counter[str], env: Env, block: Block
    ) -> bool:
        """Write a loop over the different values that are used of rows, if there are far fewer of them."""
        where = {name: found[name].row[2] for name in used if found[name].row is not None}  # type: ignore[index]
        some = tuple(sorted(where.values()))
        alike = self.facts.guess(atom.relation, some)
        if alike < SHARED:
            return False
        row = self.fresh("t")
        block.loop(row, self.need("values", atom.relation, some))
        block.times = max(block.times * self.facts.guess(atom.relation, ()) / alike, 1)
        self.work += block.times
        for name, place in where.items():
            text = row if len(some) == 1 else f"{row}[{some.index(place)}]"
            here = Name(text, found[name].unknown, row=(row, atom.relation, place))
            env[name] = here if uses[name] == 1 else self.keep(here, block)
        return True

    def one_of(
        self,
        atom: Atom,
        strict: list[tuple[int, str]],
        used: list[str],
        uses: Counter[str],
        block: Block,
        left: list[Part],
    ) -> bool:
        """Write an atom of which one value is used, and only to be one of a few, as so many lookups."""
        if len(used) != 1 or uses[used[0]] != 1:
            return False
        other = next((p for p in left if used[0] in p.names), None)
        if other is None or not isinstance(other.literal, Member) or not strict:
            return False
        member = other.literal
        place = next(self.place(atom, n) for n, t in atom.args if isinstance(t, Var) and t.name == used[0])
        if self.relations[atom.relation].columns[place].unknown or any(c.name for c in member.values):
            return False
        if self.facts.guess(atom.relation, places(strict)) <= 1:
            return False
        found = (self.some(atom.relation, [*strict, (place, repr(c.value))]) for c in member.values)
        block.require(" or ".join(found) or "False")
        left.remove(other)
        return True

    def written_out(self, atom: Atom, env: Env, times: float) -> Either | None:
        """The rules of a relation that was put off, for one row of it, if it is less work to try them so
        many times than to derive the relation; else the relation is to be derived."""
        draft = self.facts.put_off(atom.relation)
        if draft is None:
            return None
        asked = {column: t for column, t in atom.args if not isinstance(t, Var) or t.name in env}
        unknown = [t for t in asked.values() if isinstance(t, Var) and env[t.name].unknown]
        known = tuple(Compare("=", var, var) for var in unknown)  # an unknown value is that of no row
        mark = f"^{next(self.marks)}"
        literal = Either(tuple((*known, *for_one(rule, asked, mark)) for rule in draft.rules))
        trial = Writer(self.relations, self.facts, self.marks)
        for body in literal.bodies:
            trial.exists(body, env, Block(0, times))
        return literal if trial.work * SAFE <= draft.work else None

    def place(self, atom: Atom, column: str) -> int:
        return self.relations[atom.relation].index(column)

    def lookup(self, relation: str, known: tuple[int, ...], times: float, several: bool) -> tuple[int, ...]:
        """The places to look rows up by, of those whose values are known: fewer than all where that takes
        no new index, or one that others can use, and leaves few rows to go through; if not `several`, one."""
        if len(known) < 2 or self.facts.put_off(relation) is not None:
            return known
        ready = self.facts.indexed(relation)
        if known in ready:
            return known
        keys = [(place,) for place in known if self.facts.guess(relation, (place,)) <= 1]
        options = keys + [some for some in ready if some and set(some) < set(known)]
        work = [(self.facts.guess(relation, some), some) for some in options]
        rows, some = min(work, default=(0, known))
        few = rows * times <= self.facts.guess(relation, ()) and (several or rows <= 1)
        return some if few else known

    def scanned(self, atom: Atom, known: tuple[int, ...]) -> bool:
        """Whether an atom that is looked up once is as well looked for among all rows."""
        if known in self.facts.indexed(atom.relation):
            return False
        return self.facts.guess(atom.relation, known) * COMMON > self.facts.guess(atom.relation, ())

    def some(self, relation: str, strict: list[tuple[int, str]]) -> str:
        """Whether a relation has a row with these values."""
        if not strict:
            return self.need("rows", relation)
        return f"{key(strict)} in {self.need('keys', relation, places(strict))}"

    def candidates(
        self,
        relation: str,
        strict: list[tuple[int, str]],
        loose: list[tuple[int, Name]],
        bounds: Mapping[str, tuple[int, str]],
    ) -> str:
        """The rows that can match: by an index where there are values to look up."""
        if bounds:
            below, above = bounds.get("<", (None, None)), bounds.get(">", (None, None))
            find = self.need("range", relation, (places(strict), below[0], above[0]))
            return f"{find}({key(strict)}, {below[1]}, {above[1]})"
        if strict:
            kind: Kind = "one" if self.facts.guess(relation, places(strict)) <= 1 else "index"
            return f"{self.need(kind, relation, places(strict))}.get({key(strict)}, EMPTY)"
        rows = self.need("rows", relation)
        if loose:
            place, value = loose[0]
            return f"may({self.need('index', relation, (place,))}, {rows}, {value.text})"
        return rows

    def bounds(self, atom: Atom, env: Env, left: Iterable[Part]) -> dict[str, tuple[int, str]]:
        """What the columns of an atom must lie below and above, by tests that are still to come: for each
        side a place and a value that is known already."""
        relation = self.relations[atom.relation]
        own = {t.name: relation.index(n) for n, t in atom.args if isinstance(t, Var) and t.name not in env}
        found: dict[str, tuple[int, str]] = {}
        for literal in (p.literal for p in left):
            if not isinstance(literal, Compare) or literal.op in ("=", "!="):
                continue
            for mine, other, side in (
                (literal.left, literal.right, literal.op[0]),
                (literal.right, literal.left, "<" if literal.op[0] == ">" else ">"),
            ):
                known = isinstance(other, Const) or (isinstance(other, Var) and other.name in env)
                if known and isinstance(mine, Var) and mine.name in own:
                    value = self.term(other, env, Block(0))
                    found.setdefault(side, (own[mine.name], value.text))
        return found

    def keep(self, value: Name, block: Block) -> Name:
        """A name for a value, so that it is worked out once."""
        if value.fixed or value.text.isidentifier():
            return value
        name = self.fresh("v")
        block.add(f"{name} = {value.text}")
        return Name(name, value.unknown, row=value.row)

    # Tests

    def test(self, literal: Literal, env: Env, block: Block) -> str:
        match literal:
            case Compare():
                left, right = (self.term(t, env, block) for t in (literal.left, literal.right))
                if left.unknown or right.unknown:
                    left, right = self.keep(left, block), self.keep(right, block)
                return compared(literal.op, left, right, literal.sure)
            case Member():
                return self.member(literal, self.term(literal.term, env, block), block)
            case Not():
                return f"not {self.exists(literal.body, env, block)}"
            case Either():
                return "(" + " or ".join(self.either(literal, env, block)) + ")"
        raise AssertionError(f"no test: {literal}")

    def either(self, literal: Either, env: Env, block: Block) -> Iterator[str]:
        """Tests of which one must hold; each is made less often than the one before."""
        times = block.times
        for body in literal.bodies:
            yield self.exists(body, env, block)
            block.times = max(block.times / FEWER, 1)
        block.times = times

    def member(self, literal: Member, value: Name, block: Block) -> str:
        texts = "".join(f"{self.term(c, {}, block).text}, " for c in literal.values)
        values = f"({texts})" if any(c.name for c in literal.values) else f"{{{texts}}}"
        if literal.sure or not value.unknown:
            return f"{value.text} in {values}"
        value = self.keep(value, block)
        return f"({value.text} is None or {value.text} in {values})"

    def exists(self, body: Body, env: Env, block: Block) -> str:
        """Whether a body has a match."""
        if all(isinstance(x, Compare | Member) for x in body):
            return "(" + (" and ".join(self.test(x, env, block) for x in body) or "True") + ")"
        if len(body) == 1 and isinstance(body[0], Atom):
            written_out = self.written_out(body[0], env, block.times)
            if written_out is not None:
                return self.test(written_out, env, block)
        simple = self.only_tests(body, env, block.times)
        if simple is not None:
            return simple
        names = names_in(body)
        given, inside = self.inner(names, env)
        name = self.fresh("exists")
        inner = Block(1, max(block.times, 2), first=True)
        self.body(body, inside, inner)
        inner.add("return True")
        again = ["@cache"] if self.repeated(env, names, block.times) else []
        self.functions += [*again, f"def {name}({parameters(inside)}):", *inner.end(), "    return False"]
        return f"{name}({given})"

    def repeated(self, env: Env, names: Collection[str], times: float) -> bool:
        """Whether the same values come again and again, since many rows share them."""
        rows = {value.row for name, value in env.items() if name in names and not value.fixed}
        if not rows or None in rows or times < 100:
            return False
        found = [row for row in rows if row is not None]
        relations = {relation for _, relation, _ in found}
        if len({row for row, _, _ in found}) > 1:
            return False
        return self.facts.guess(relations.pop(), tuple(sorted(place for _, _, place in found))) >= SHARED

    def absent(self, body: Body, env: Env, block: Block) -> bool:
        """Go on when a body has no match, if that takes loops that are not too deep, and no memory."""
        loops = block.loops + 1 + sum(isinstance(x, Atom | Not) for x in walk(body))
        if all(isinstance(x, Compare | Member) for x in body) or loops >= DEEPEST:
            return False
        if self.are_tests(body, env, block.times) or self.repeated(env, names_in(body), block.times):
            return False
        inner = Block(block.depth, max(block.times, 2), first=True, loops=block.loops + 1)
        self.body(body, env, inner)
        block.unless(inner)
        return True

    def inner(self, names: set[str], env: Env) -> tuple[str, Env]:
        """The values that a function is called with, and what it knows them as."""
        passed = {n: v for n, v in env.items() if n in names and not v.fixed}
        inside = {n: v for n, v in env.items() if n in names and v.fixed}
        inside |= {n: Name(f"o{i}", v.unknown) for i, (n, v) in enumerate(passed.items())}
        return ", ".join(v.text for v in passed.values()), inside

    def only_tests(self, body: Body, env: Env, times: float) -> str | None:
        """A body as one expression, when it has neither loops nor values of its own."""
        if not self.are_tests(body, env, times):
            return None
        inner = Block(0, times)
        self.body(body, env, inner)
        return "(" + " and ".join(line.strip()[3:-1] for line in inner.lines) + ")"

    def are_tests(self, body: Body, env: Env, times: float) -> bool:
        """Whether the literals of a body look up an index and no more, each for itself."""
        uses = Counter([name for p in self.parts(body) for name in p.names])
        return all(self.is_test(literal, env, uses, times) for literal in body)

    def is_test(self, literal: Literal, env: Env, uses: Counter[str], times: float) -> bool:
        """Whether a literal is an atom whose values are known or used nowhere, or the negation of such."""
        if isinstance(literal, Not):
            return self.are_tests(literal.body, env, times)
        if not isinstance(literal, Atom) or self.written_out(literal, env, times) is not None:
            return False
        relation = self.relations[literal.relation]
        columns = {c.name: c for c in relation.columns}
        known, own = [], set()
        for column, term in literal.args:
            if isinstance(term, Call):
                return False
            if isinstance(term, Const) or term.name in env:
                if not literal.sure or columns[column].unknown:
                    return False
                known.append(relation.index(column))
            elif term.name in own or uses[term.name] > 1:
                return False
            else:
                own.add(term.name)
        return len(self.lookup(relation.name, tuple(sorted(known)), times, False)) == len(known)

    # Terms

    def term(self, term: Term, env: Env, block: Block) -> Name:
        match term:
            case Var():
                return env[term.name]
            case Const():
                if term.name is not None:
                    return Name(self.need("given", term.name, (term.value,)), term.value is None, True)
                return Name(repr(term.value), term.value is None, True)
            case Call():
                return self.call(term, [self.term(arg, env, block) for arg in term.args], block)

    def call(self, term: Call, args: list[Name], block: Block) -> Name:
        """A function's value: None of an unknown; worked out once when it is the same for all rows."""
        args = [self.keep(arg, block) if arg.unknown else arg for arg in args]
        function = f"f_{term.function}"
        if term.calendar:
            function = self.need("add" if term.function == "add" else "between", term.calendar)
        text = f"{function}({', '.join(a.text for a in args)})"
        unknown = [a.text for a in args if a.unknown]
        if unknown:
            text = f"(None if {' or '.join(f'{u} is None' for u in unknown)} else {text})"
        may_be = bool(unknown) or FUNCTIONS[term.function].may_fail
        if not all(a.fixed for a in args):
            return Name(text, may_be)
        name = self.fresh("c")
        self.fixed.append(f"{name} = {text}")
        return Name(name, may_be, True)

    # Aggregates

    def aggregate(self, literal: Aggregate, env: Env, block: Block) -> Name:
        """A function of the variables around; it remembers, since many matches ask for the same value, and
        so do other rules."""
        given, inside = self.inner(names_in((literal,)), env)
        if any(v.fixed and v.text.isidentifier() for v in inside.values()):
            name, known = self.measured(literal, inside, block.times)
        else:
            writer = Writer(self.relations, self.facts, self.marks)
            name, known = writer.measured(literal, inside, block.times)
            name = self.need("rows", self.facts.shared(writer.draft([f"return {name}"])))
            self.work += writer.work
        return self.keep(Name(f"{name}({given})", literal.kind != "count" or not known), block)

    def measured(self, literal: Aggregate, inside: Env, times: float) -> tuple[str, bool]:
        """Write an aggregate as a function: its name, and whether all the values it is over are known."""
        name = self.fresh("aggregate")
        lines = ["@cache", f"def {name}({parameters(inside)}):"]
        rows, known = self.gathered(literal, literal.body, inside, lines, times)
        against, sure = "EMPTY", True
        if literal.against:
            against, sure = self.gathered(literal, literal.against, inside, lines, times)
        last = Block(1)
        window = "".join(f"{self.term(t, inside, last).text}, " for t in literal.window or ())
        if literal.kind == "count" and known:
            last.add(f"return len({rows})")
        elif literal.kind in ("max", "min") and known:
            last.add(f"return {literal.kind}({rows})[-1] if {rows} else None")
        elif literal.kind == "share" and literal.weight is None and known and sure:
            last.add(f"return len({rows}) / (len({rows}) + len({against})) if {rows} or {against} else None")
        else:
            how = f"{literal.kind!r}, {literal.bound!r}, {literal.weight is not None}, {literal.unit!r}"
            days = self.need("days", "")
            last.add(f"return aggregated({how}, {rows}, {against}, ({window}), {days})")
        self.functions += [*lines, *last.end()]
        return name, known

    def gathered(
        self, literal: Aggregate, body: Body, env: Env, lines: list[str], times: float
    ) -> tuple[str, bool]:
        """Write the loops that collect the different rows that an aggregate takes from a body: the name of
        the set, and whether all their values are known."""
        block = Block(1, times)
        into = self.fresh("rows")
        block.add(f"{into} = set()")
        wanted = {v.name for t in taken(literal) for v in variables(t)}
        found = self.body(body, env, block, wanted)
        values = [self.term(t, found, block) for t in taken(literal)]
        block.add(f"{into}.add(({''.join(f'{v.text}, ' for v in values)}))")
        lines += block.end()
        return into, not any(v.unknown for v in values)


def for_one(rule: Rule, asked: Mapping[str, Term], mark: str) -> Body:
    """The body of a rule for rows that have the values asked for; its own variables get a mark."""
    names: dict[str, Term] = {name: Var(name + mark) for name in names_in(rule.body)}
    fixed, equal = computed(rule.body), []
    for column, term in rule.args:
        if column not in asked:
            continue
        if isinstance(term, Var) and term.name not in fixed:
            fixed.add(term.name)
            names[term.name] = asked[column]
        else:
            equal.append((term, asked[column]))
    tests = (Compare("=", term_under(term, names), value) for term, value in equal)
    return (*(substituted(literal, names) for literal in rule.body), *tests)


def parameters(inside: Env) -> str:
    return ", ".join(v.text for v in inside.values() if not v.fixed)


def places(strict: list[tuple[int, str]]) -> tuple[int, ...]:
    """The places of an index, in order."""
    return tuple(sorted(place for place, _ in strict))


def key(strict: list[tuple[int, str]]) -> str:
    """What to look up in an index: one value, or several in the order of their places."""
    values = [text for _, text in sorted(strict)]
    return values[0] if len(values) == 1 else f"({', '.join(values)})"  # without any, the empty tuple


def either(one: Name, other: Name) -> Name:
    """A value, or where it is unknown another that may be the same."""
    if one is other or not one.unknown:
        return one
    return Name(f"({other.text} if {one.text} is None else {one.text})", other.unknown)


def compared(op: str, left: Name, right: Name, sure: bool) -> str:
    """A comparison; of an unknown nothing is sure and everything possible."""
    if op == "=" and left == right:
        return f"{left.text} is not None" if left.unknown and sure else "True"
    test = f"{left.text} {OPERATOR.get(op, op)} {right.text}"
    unknown = [n.text for n in (left, right) if n.unknown]
    if not unknown:
        return test
    if sure:
        if op == "=" and len(unknown) == 1:
            return test
        return "(" + " and ".join([*(f"{n} is not None" for n in unknown), test]) + ")"
    return "(" + " or ".join([*(f"{n} is None" for n in unknown), test]) + ")"
