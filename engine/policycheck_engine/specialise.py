"""A rule as Python: nested loops over the rows that indexes give, made once for a program.

`source` writes a module with one function for each rule. A function is given the world it reads: `index`
for the rows of a relation by the values of some columns, `rows` for all of them, and the constants.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from policycheck_engine.order import gives, needs, waits
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
    variables,
)

OPERATOR = {"=": "==", "!=": "!="}


@dataclass(frozen=True, slots=True)
class Name:
    """A Python expression, and whether it may be None."""

    text: str
    unknown: bool


Env = dict[str, Name]


@dataclass
class Block:
    """Lines of a function while it is being written, at some depth; `miss` leaves the innermost loop."""

    lines: list[str]
    depth: int
    looping: bool = False

    def add(self, line: str) -> None:
        self.lines.append("    " * self.depth + line)

    def require(self, test: str) -> None:
        """Go on only when the test holds."""
        self.add(f"if {test}:")
        self.depth += 1


@dataclass
class Specialiser:
    """Writes the functions of a program."""

    relations: Mapping[str, Relation]
    size: Callable[[str], int]
    functions: list[str] = field(default_factory=list)
    constants: list[object] = field(default_factory=list)
    numbers: dict[tuple[type, object], int] = field(default_factory=dict)
    indexes: dict[tuple[str, tuple[int, ...]], str] = field(default_factory=dict)
    count: int = 0

    def fresh(self, letter: str) -> str:
        self.count += 1
        return f"{letter}{self.count}"

    def rule(self, rule: Rule) -> str:
        """Write a rule; the name of its function, which adds the rows it makes to a set."""
        name = self.fresh("rule")
        block = Block([f"def {name}(out):"], 1)
        env = self.body(rule.body, {}, block)
        row = "".join(f"{self.term(t, env, block).text}, " for _, t in rule.args)
        block.add(f"out.add(({row}))")
        self.functions.append("\n".join(block.lines))
        return name

    # Bodies

    def body(self, body: Body, env: Env, block: Block) -> Env:
        """Write the loops and tests of a body; what comes after is done for each of its matches."""
        env = dict(env)
        left = list(body)
        lacking = {name for literal in body for name in gives(literal)} - set(env)
        while left:
            ready = [x for x in left if not needs(x) & lacking]
            literal = min(ready, key=lambda x: (waits(x, left), self.cost(x, env)))
            left.remove(literal)
            self.literal(literal, env, block)
            lacking -= gives(literal)
        return env

    def cost(self, literal: Literal, env: Env) -> tuple[int, int]:
        """What to do next: what can be tested, then what an index finds, then the smallest relation."""
        if not isinstance(literal, Atom):
            return ({Compare: 0, Member: 0, Bind: 0, Not: 1, Either: 1, Aggregate: 2}[type(literal)], 0)
        known = sum(isinstance(t, Var) and t.name in env for _, t in literal.args)
        constants = sum(not isinstance(t, Var) for _, t in literal.args)
        if known:
            return (3, -known - constants)
        return (4, self.size(literal.relation) // 8**constants)

    def literal(self, literal: Literal, env: Env, block: Block) -> None:
        match literal:
            case Atom():
                self.atom(literal, env, block)
            case Bind():
                value = self.term(literal.term, env, block)
                env[literal.var.name] = self.keep(value, block)
            case Aggregate():
                env[literal.into.name] = self.aggregate(literal, env, block)
            case _:
                block.require(self.test(literal, env, block))

    def atom(self, atom: Atom, env: Env, block: Block) -> None:
        relation = self.relations[atom.relation]
        row = self.fresh("t")
        strict: list[tuple[int, str]] = []
        loose: list[tuple[Name, Name]] = []
        twice: list[tuple[Name, Name]] = []
        given: list[tuple[Var, Name]] = []
        for column, term in atom.args:
            place = relation.index(column)
            here = Name(f"{row}[{place}]", relation.columns[place].unknown)
            if isinstance(term, Var) and term.name not in env and all(v.name != term.name for v, _ in given):
                given.append((term, here))
            elif isinstance(term, Var) and term.name not in env:
                twice.append((here, next(n for v, n in given if v.name == term.name)))
            else:
                value = self.term(term, env, block)
                tolerant = not atom.sure and (here.unknown or value.unknown)
                if tolerant:
                    loose.append((here, value))
                    if isinstance(term, Var) and value.unknown:
                        given.append((term, here))
                elif value.unknown:
                    block.require(f"{value.text} is not None")
                    strict.append((place, value.text))
                else:
                    strict.append((place, value.text))
        block.add(f"for {row} in {self.candidates(atom.relation, strict, loose)}:")
        block.depth += 1
        for here, value in [*loose, *twice]:
            block.require(compared("=", here, value, atom.sure))
        for var, here in given:
            old = env.get(var.name)
            if old is not None:
                here = Name(f"({here.text} if {old.text} is None else {old.text})", here.unknown)
            env[var.name] = self.keep(here, block)

    def candidates(self, relation: str, strict: list[tuple[int, str]], loose: list[tuple[Name, Name]]) -> str:
        """The rows that can match: by an index where there are values to look up."""
        if strict:
            strict = sorted(strict)
            index = self.index(relation, tuple(place for place, _ in strict))
            key = strict[0][1] if len(strict) == 1 else f"({', '.join(v for _, v in strict)})"
            return f"{index}.get({key}, EMPTY)"
        rows = self.index(relation, ())
        if loose:
            here, value = loose[0]
            place = int(here.text[here.text.index("[") + 1 : -1])
            index = self.index(relation, (place,))
            return f"may({index}, {rows}, {value.text})"
        return rows

    def index(self, relation: str, places: tuple[int, ...]) -> str:
        """The name of an index that the world makes; without places, of all rows."""
        return self.indexes.setdefault((relation, places), f"i{len(self.indexes)}")

    def keep(self, value: Name, block: Block) -> Name:
        """A name for a value, so that it is worked out once."""
        if value.text.isidentifier():
            return value
        name = self.fresh("v")
        block.add(f"{name} = {value.text}")
        return Name(name, value.unknown)

    # Tests

    def test(self, literal: Literal, env: Env, block: Block) -> str:
        match literal:
            case Compare():
                left, right = self.term(literal.left, env, block), self.term(literal.right, env, block)
                return compared(literal.op, left, right, literal.sure)
            case Member():
                value = self.term(literal.term, env, block)
                values = self.constant(frozenset(c.value for c in literal.values))
                test = f"{value.text} in {values}"
                return test if literal.sure or not value.unknown else f"({value.text} is None or {test})"
            case Not():
                return f"not {self.exists(literal.body, env, block)}"
            case Either():
                return "(" + " or ".join(self.exists(b, env, block) for b in literal.bodies) + ")"
        raise AssertionError(f"no test: {literal}")

    def exists(self, body: Body, env: Env, block: Block) -> str:
        """Whether a body has a match."""
        if all(isinstance(x, Compare | Member) for x in body):
            return "(" + (" and ".join(self.test(x, env, block) for x in body) or "True") + ")"
        simple = self.looked_up(body, env, block)
        if simple is not None:
            return simple
        outer = {name: value for name, value in env.items() if name in names_in(body)}
        name = self.fresh("exists")
        inner = Block([f"def {name}({', '.join(f'o{i}' for i in range(len(outer)))}):"], 1)
        self.body(body, {n: Name(f"o{i}", v.unknown) for i, (n, v) in enumerate(outer.items())}, inner)
        inner.add("return True")
        inner.depth = 1
        inner.add("return False")
        self.functions.append("\n".join(inner.lines))
        return f"{name}({', '.join(v.text for v in outer.values())})"

    def looked_up(self, body: Body, env: Env, block: Block) -> str | None:
        """The test of an index, when a body is one atom whose values are all known or do not matter."""
        if len(body) != 1 or not isinstance(body[0], Atom):
            return None
        atom = body[0]
        relation = self.relations[atom.relation]
        key: list[tuple[int, str]] = []
        for column, term in atom.args:
            place = relation.index(column)
            if any(v.name not in env for v in variables(term)):
                return None
            value = self.term(term, env, block)
            if value.unknown or (relation.columns[place].unknown and not atom.sure):
                return None
            key.append((place, value.text))
        if not key:
            return f"bool({self.index(atom.relation, ())})"
        key.sort()
        index = self.index(atom.relation, tuple(place for place, _ in key))
        return f"({key[0][1] if len(key) == 1 else '(' + ', '.join(v for _, v in key) + ')'} in {index})"

    # Terms

    def term(self, term: Term, env: Env, block: Block) -> Name:
        match term:
            case Var():
                return env[term.name]
            case Const():
                return Name(self.constant(term.value), term.value is None)
            case Call():
                args = [self.keep(self.term(arg, env, block), block) for arg in term.args]
                inside = ", ".join(a.text for a in args)
                if term.calendar:
                    return Name(f"f_{term.function}({self.constant(term.calendar)}, {inside})", True)
                return Name(f"f_{term.function}({inside})", True)

    def constant(self, value: object) -> str:
        key = (type(value), value)
        if key not in self.numbers:
            self.numbers[key] = len(self.constants)
            self.constants.append(value)
        return f"c{self.numbers[key]}"

    # Aggregates

    def aggregate(self, literal: Aggregate, env: Env, block: Block) -> Name:
        """A function of the variables around; it remembers, since many matches ask for the same value."""
        wanted = names_in((literal,))
        outer = {name: value for name, value in env.items() if name in wanted}
        inside = {n: Name(f"o{i}", v.unknown) for i, (n, v) in enumerate(outer.items())}
        name = self.fresh("aggregate")
        lines = ["@cache", f"def {name}({', '.join(v.text for v in inside.values())}):"]
        gathered = []
        for i, body in enumerate((literal.body, literal.against)):
            if body:
                gathered.append(f"rows{i}")
                self.gather(literal, body, inside, f"rows{i}", lines)
        block_inside = Block(lines, 1)
        window = "".join(f"{self.term(t, inside, block_inside).text}, " for t in literal.window or ())
        rows = ", ".join(gathered if len(gathered) == 2 else [*gathered, "EMPTY"])
        block_inside.add(f"return aggregated({self.constant(literal)}, {rows}, ({window}), days)")
        self.functions.append("\n".join(lines))
        return self.keep(Name(f"{name}({', '.join(v.text for v in outer.values())})", True), block)

    def gather(self, literal: Aggregate, body: Body, env: Env, into: str, lines: list[str]) -> None:
        """Write the loops that collect the different rows of a body."""
        block = Block(lines, 1)
        block.add(f"{into} = set()")
        found = self.body(body, env, block)
        row = "".join(f"{self.term(t, found, block).text}, " for t in taken(literal))
        block.add(f"{into}.add(({row}))")


def compared(op: str, left: Name, right: Name, sure: bool) -> str:
    """A comparison; of an unknown nothing is sure and everything possible."""
    test = f"{left.text} {OPERATOR.get(op, op)} {right.text}"
    unknown = [n.text for n in (left, right) if n.unknown]
    if not unknown:
        return test
    if sure:
        if op == "=" and len(unknown) == 1:
            return test
        return "(" + " and ".join([*(f"{n} is not None" for n in unknown), test]) + ")"
    return "(" + " or ".join([*(f"{n} is None" for n in unknown), test]) + ")"
