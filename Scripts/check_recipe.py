#!/usr/bin/env python3
"""Runs every stage of the emoji model's recipe in its short form, from an empty folder, and looks at what
comes of it: losses fall, and figures beat chance. Takes about six minutes on two cores."""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Trainings, and what the mean of their last losses may be of that of their first.
TRAININGS = {
    "vae": 0.8, "base-1": 0.5, "distill": 1.0, "style": 1.0, "split": 1.0, "fp8": 1.0, "colour": 1.0,
    "differential": 1.0, "full": 1.0, "edit": 0.9,
}


def run_all(work: pathlib.Path) -> None:
    subprocess.run([ROOT / "Scripts/setup_packages.sh", "emoji-font"], check=True)
    environment = {**os.environ, "WORK": str(work), "SHORT": "1"}
    for product in ("flux2", "emoji-recipe"):
        subprocess.run(["swift", "build", "-c", "release", "--product", product], cwd=ROOT, check=True)
    log = work / "log.txt"
    with log.open("w") as out:
        result = subprocess.run(
            ["bash", "Recipes/emoji/all.sh"], cwd=ROOT, env=environment, stdout=out,
            stderr=subprocess.STDOUT)
    if result.returncode:
        sys.exit(f"the recipe failed:\n{log.read_text()[-4000:]}")


def losses(path: pathlib.Path) -> list[float]:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [row["loss"] for row in rows if "loss" in row]


def check_trainings(work: pathlib.Path) -> list[str]:
    failures = []
    for name, limit in TRAININGS.items():
        values = losses(work / name / "log.jsonl")
        part = max(1, len(values) // 5)
        first, last = statistics.mean(values[:part]), statistics.mean(values[-part:])
        print(f"{name}: {len(values)} steps, loss {first:.4f} to {last:.4f}")
        if not last < limit * first:
            failures.append(f"{name}: the loss goes from {first:.4f} to {last:.4f}")
    return failures


def check_figures(work: pathlib.Path) -> list[str]:
    report = json.loads((work / "evaluate-base" / "report.json").read_text())
    name = next(group for group in report["summary"]["groups"] if group["group"] == "name")
    found, chance = name["generated"]["histogram"]["top5"], name["chance"]["histogram"]["top5"]
    print(f"names among the five nearest: {found:.2f}, by chance {chance:.2f}")
    return [] if found > 1.5 * chance else [f"names: {found:.2f} is not above chance, {chance:.2f}"]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        run_all(work)
        failures = check_trainings(work) + check_figures(work)
    sys.exit("\n".join(failures) if failures else None)


if __name__ == "__main__":
    main()
