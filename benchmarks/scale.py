"""What a trust, an authority and a country need, reckoned from what schools cost: a part of docs/scale.md."""

from __future__ import annotations

from processes import Figures, table

ROWS_OF_ENGLAND = 400_000_000
SCHOOLS_OF_ENGLAND = 24_453
PLACES = (
    ("a trust", 50),
    ("a local authority", 300),
    ("England", SCHOOLS_OF_ENGLAND),
)
CORES = (2, 16, 128)
KINDS = {"primary": "Holy Cross", "small": "Woodlands, cut down", "whole": "Woodlands"}


def cost(figures: Figures) -> tuple[float, float]:
    """CPU seconds of a school: those that every school costs, and those of a thousand rows; a line through
    what was measured, by least squares."""
    points = [(f["rows"] / 1000, f["cpu"]) for f in figures["one"].values()]
    x, y = (sum(values) / len(points) for values in zip(*points, strict=True))
    slope = sum((a - x) * (b - y) for a, b in points) / sum((a - x) ** 2 for a, _ in points)
    return max(0.0, y - slope * x), slope


def reckoned(figures: Figures) -> str:
    """The marked part of docs/scale.md."""
    ones = figures["one"]
    fixed, per_thousand = cost(figures)
    anew = max(f["cold"]["cpu"] - f["cpu"] for f in ones.values())
    rows = ROWS_OF_ENGLAND / SCHOOLS_OF_ENGLAND
    school = fixed + per_thousand * rows / 1000
    fifty = figures["many"]["50"]
    use = min(1.0, fifty["cpu"] / 2 / fifty["wall"])
    total = sum(f["rows"] for f in ones.values())
    records, results = (sum(f[k] for f in ones.values()) / total for k in ("records", "result"))
    arithmetic = [
        ["CPU of a school, whatever its size", f"{fixed:.2f} s", "a line through the three, at no rows"],
        ["CPU of each thousand rows", f"{per_thousand:.4f} s", "its slope"],
        ["rows of a school in England", f"{rows:,.0f}", f"{ROWS_OF_ENGLAND:,} / {SCHOOLS_OF_ENGLAND:,}"],
        ["CPU of such a school", f"{school:.2f} s", f"{fixed:.2f} + {rows / 1000:.1f} × {per_thousand:.4f}"],
        [
            "CPU to make a policy ready",
            f"{anew:.2f} s",
            "with an empty cache, less with a full one: the most",
        ],
        ["share of the cores that is used", f"{use:.0%}", "50 schools on two cores: CPU / (2 × wall)"],
        ["memory for each core", f"{fifty['peak'] / 2:.0f} MB", "50 schools with two processes: peak / 2"],
        ["records on disk", f"{records * 1e6:.0f} bytes a row", "JSON: MB / rows, of the three"],
        ["results on disk", f"{results * 1e6:.0f} bytes a row", "JSON: MB / rows, of the three"],
    ]
    heads = ["a term of", "schools", "rows", "CPU", *(f"on {n} cores" for n in CORES), "records", "results"]
    places = [
        [
            name,
            f"{n:,}",
            f"{n * rows / 1e6:,.1f} million",
            between(n * school, n * (school + anew)),
            *(between(n * school / c / use, n * (school + anew) / c / use) if c <= n else "" for c in CORES),
            size(n * rows * records),
            size(n * rows * results),
        ]
        for name, n in PLACES
    ]
    lines = [
        f"Measured on {figures['day']}: {figures['machine']}; medians of {figures['runs']} runs.",
        "",
        *table(
            [
                "one school's term",
                "rows",
                "records MB",
                "CPU s",
                "CPU s, empty cache",
                "peak MB",
                "result MB",
            ],
            [one_row(KINDS[kind], f) for kind, f in ones.items()],
        ),
        "",
        *table(["what follows from it", "", "how"], arithmetic),
        "",
        *table(heads, places),
        "",
        "Rows = schools × rows of a school in England. CPU = schools × CPU of such a school; the second",
        "figure adds the CPU to make a policy ready for every school. Time = CPU / (cores × share that is",
        "used). Records and results = rows × bytes a row.",
    ]
    return "\n".join(lines) + "\n"


def one_row(name: str, f: Figures) -> list[str]:
    """A school by itself."""
    numbers = (f["records"], f["cpu"], f["cold"]["cpu"], f["peak"], f["result"])
    return [name, f"{f['rows']:,}", *(f"{n:.1f}" for n in numbers)]


def between(least: float, most: float) -> str:
    """A span of time."""
    return f"{duration(least)} to {duration(most)}"


def duration(seconds: float) -> str:
    """A time in a unit that suits it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def size(megabytes: float) -> str:
    """An amount of data in a unit that suits it."""
    return f"{megabytes:.0f} MB" if megabytes < 1000 else f"{megabytes / 1000:.1f} GB"
