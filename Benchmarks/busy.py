#!/usr/bin/env python3
"""Times flux2 beside processes that keep the processor busy, for each way in which its threads can wait.

  python3 Benchmarks/busy.py                        # the picture of the model in the box
  python3 Benchmarks/busy.py --spinners 0,2,4 --rounds 3 -- .build/release/flux2 generate ...

Ways come by turns within a round. `default` is what flux2 does by itself, `active` what libgomp does by itself.
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

WAYS = {
    "default": {},
    "passive": {"OMP_WAIT_POLICY": "passive"},
    # libgomp's own choice has no name; this is the count that it spins by itself.
    "active": {"GOMP_SPINCOUNT": "300000"},
}


def environment(way):
    names = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_NUM_THREADS")
    return {k: v for k, v in os.environ.items() if k not in names} | WAYS[way]


def timed(command, way, limit):
    """Seconds of the wall and of the processor, or None where it took longer than the limit."""
    before, begun = os.times(), time.monotonic()
    process = subprocess.Popen(command, env=environment(way), stdout=subprocess.DEVNULL)
    try:
        if process.wait(limit):
            sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None
    after = os.times()
    used = sum(after[2:4]) - sum(before[2:4])
    return time.monotonic() - begun, used


def shown(runs, limit):
    if None in runs:
        return f"over {limit:g} s"
    wall, used = (statistics.median(column) for column in zip(*runs))
    return f"{wall:.1f} s, {used:.1f} of the processor"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--spinners", default="0,2,4", help="how many busy processes, by commas")
    parser.add_argument("--ways", default=",".join(WAYS), help="of waiting, by commas")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=float, default=300, help="seconds after which a run is ended")
    parser.add_argument("command", nargs="*")
    given = parser.parse_args()
    ways = given.ways.split(",")
    with tempfile.TemporaryDirectory() as folder:
        command = given.command or [
            ".build/release/flux2", "generate", "smiling cat", "--seed", "1", "--quiet", "--force",
            "--no-prompt-cache", "--output", os.path.join(folder, "cat.png")]
        for count in map(int, given.spinners.split(",")):
            others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
            try:
                runs = {way: [] for way in ways}
                for _ in range(given.rounds):
                    for way in ways:
                        runs[way].append(timed(command, way, given.limit))
            finally:
                for other in others:
                    other.kill()
                    other.wait()
            for way in ways:
                print(f"beside {count}: {way:8} {shown(runs[way], given.limit)}", flush=True)


main()
