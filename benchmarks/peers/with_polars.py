"""The six rules with Polars: `with_polars.py OUTDIR` prints the findings, rule TAB key, sorted."""

import sys
from pathlib import Path

import polars as pl

BANNED = ["behaviour_control", "photocopying", "cutting_resources"]


def main() -> None:
    folder = Path(sys.argv[1])

    def read(name: str) -> pl.LazyFrame:
        return pl.scan_ndjson(folder / f"{name}.ndjson")

    deployments, lessons, classes, logs = map(read, ("deployments", "lessons", "classes", "lesson_logs"))
    sheets, waivers, training = map(read, ("planning_sheets", "waivers", "training"))
    covers, staff = read("covers").collect(), read("staff").collect()
    pair = (pl.col("lesson") + "|" + pl.col("mentor")).alias("key")
    slot = ["date", "period", "subject", "key_stage"]

    waived = waivers.filter(pl.col("rule") == "R1").select("lesson")
    banned = pl.col("tasks").list.set_intersection(BANNED).list.len() > 0
    r1 = logs.filter(banned).join(waived, on="lesson", how="anti").select(pair)

    ready = (
        sheets.filter("has_targets")
        .join(lessons, left_on="lesson", right_on="id")
        .filter(pl.col("shared_at") < pl.col("starts_at"))
        .select("lesson", "mentor")
    )
    r2 = deployments.join(ready, on=["lesson", "mentor"], how="anti").select(pair)

    placed = lessons.join(classes, left_on="class", right_on="id")
    first = training.group_by("mentor", pl.col("topic").alias("subject")).agg(first=pl.col("date").min())
    r3 = (
        deployments.join(placed, left_on="lesson", right_on="id")
        .join(first, on=["mentor", "subject"], how="left")
        .filter(pl.col("first").is_null() | (pl.col("first") >= pl.col("date")))
        .select(pair)
    )

    supported = deployments.select(pl.col("lesson").alias("id")).unique()
    highest = placed.join(supported, on="id", how="semi").group_by(slot).agg(high=pl.col("set_no").min())
    r4 = (
        placed.filter(pl.col("ehcp_count") > 0)
        .join(supported, on="id", how="anti")
        .join(highest, on=slot)
        .filter(pl.col("high") < pl.col("set_no"))
        .select(key="id")
    )

    r5 = (
        logs.group_by("mentor")
        .agg(given=pl.col("feedback_given").sum(), count=pl.len())
        .filter(pl.col("given") * 10 < pl.col("count") * 9)
        .select(key="mentor")
    )

    managers: dict[str, list[str]] = {}
    for manager, person in covers.select("manager", "staff").iter_rows():
        managers.setdefault(person, []).append(manager)
    sendcos = set(staff.filter(pl.col("role") == "SENDCO")["id"])
    alone = []
    for mentor in read("mentors").select("id").collect()["id"]:
        above: set[str] = set()
        ahead = list(managers.get(mentor, ()))
        while ahead:
            manager = ahead.pop()
            if manager not in above:
                above.add(manager)
                ahead += managers.get(manager, ())
        if above.isdisjoint(sendcos):
            alone.append(mentor)
    r6 = pl.LazyFrame({"key": alone}, schema={"key": pl.String})

    named = [r.with_columns(rule=pl.lit(f"R{i}")) for i, r in enumerate((r1, r2, r3, r4, r5, r6), 1)]
    found = pl.concat(named).select("rule", "key").sort("rule", "key").collect()
    sys.stdout.write("".join(f"{rule}\t{key}\n" for rule, key in found.iter_rows()))


if __name__ == "__main__":
    main()
