#!/usr/bin/env python3
"""Draws the same picture with flux2 and with the Python peers in turn, and prints ratios.

    python3 Benchmarks/compare.py MODEL [--size 512] [--steps 4] [--rounds 2]
        [--with flux2,flux2-int8,diffsynth,diffusers] [--json FILE]

MODEL is a folder of klein in the hub's layout. Needs `make build` for flux2; the peers run under the
Python that runs this (see `peers.py`). In each round each program runs once, in a process of its own,
behind files that have been read until they stay in memory; `whole` is from the start of the process
to its end, with the picture written. Figures are medians over rounds; ratios are the peer's seconds
over ours. `flux2-int8` is `--weights int8`, whose weights are quantized before the first round;
`flux2-reference` is `--kernels reference`.
"""
import argparse
import glob
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
FLUX2 = os.path.join(HERE, "..", ".build", "release", "flux2")
OURS = {
    "flux2": [], "flux2-int8": ["--weights", "int8"], "flux2-reference": ["--kernels", "reference"],
}
STAGES = ("load", "encode", "first step", "step", "decode", "whole")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--prompt", default="a red fox in the snow")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--with", dest="programs", default="flux2,flux2-int8,diffsynth,diffusers")
    parser.add_argument("--json", help="file for all figures")
    options = parser.parse_args()
    programs = options.programs.split(",")
    unknown = [p for p in programs if p not in [*OURS, "diffsynth", "diffusers"]]
    if unknown:
        parser.error(f"--with {','.join(unknown)}: expected {', '.join(OURS)}, diffsynth or diffusers")
    figures = {program: {} for program in programs}
    with tempfile.TemporaryDirectory() as folder:
        options.output = os.path.join(folder, "picture.png")
        if "flux2-int8" in programs:
            quantize(options)
        for round in range(options.rounds):
            for program in programs:
                warm(options, program)
                found = run(options, program)
                print(f"{round + 1}: {program} {json.dumps(found)}", file=sys.stderr)
                for name, value in found.items():
                    figures[program].setdefault(name, []).append(value)
    report(options, figures)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"size": options.size, "steps": options.steps, "prompt": options.prompt,
                       "figures": figures}, file, indent=1)


def quantize(options):
    """Packs the weights, which is done once for a machine."""
    subprocess.run(flux2_command(options, "flux2-int8", "--steps", "1", "--height", "64", "--width", "64"),
                   stdout=subprocess.DEVNULL, check=True)


def flux2_command(options, program, *more):
    size = str(options.size)
    return [FLUX2, "generate", options.prompt, "--model", options.model, "--seed", "1",
            "--height", size, "--width", size, "--steps", str(options.steps), "--json", "--quiet",
            "--force", "--no-prompt-cache", "--output", options.output, *OURS[program], *more]


def warm(options, program):
    """Reads the program's files until that is fast, so that no side waits for the disk."""
    files = glob.glob(os.path.join(options.model, "*", "*.safetensors"))
    if program == "flux2-int8":
        # What is packed takes the place of what it was made of.
        cache = os.environ.get("FLUX2_WEIGHT_CACHE", os.path.expanduser("~/.cache/flux2/weights"))
        files = glob.glob(os.path.join(options.model, "vae", "*.safetensors")) + glob.glob(
            os.path.join(cache, "**", "*.safetensors"), recursive=True)
    for _ in range(5):
        started, size = time.perf_counter(), 0
        for file in files:
            with open(file, "rb", buffering=0) as stream:
                while block := stream.read(1 << 24):
                    size += len(block)
        if size / (time.perf_counter() - started) > 1.5e9:
            return
    print(f"{program}: files do not stay in memory; expect slow first uses", file=sys.stderr)


def run(options, program):
    command = flux2_command(options, program) if program in OURS else [
        sys.executable, os.path.join(HERE, "peers.py"), program, options.model, "--prompt", options.prompt,
        "--size", str(options.size), "--steps", str(options.steps), "--output", options.output]
    started = time.perf_counter()
    outcome = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    whole = time.perf_counter() - started
    result = json.loads(outcome.stdout.splitlines()[-1])
    seconds, steps = result["seconds"], result["seconds"]["steps"]
    found = {
        "load": seconds["load"], "encode": seconds["encode"], "first step": steps[0],
        "step": statistics.median(steps[1:] or steps), "decode": seconds["decode"], "whole": whole,
    }
    memory = result.get("memory", {})
    found["resident GB"] = memory.get("peak_resident_bytes", result.get("resident_bytes", 0)) / 1e9
    if "peak_private_bytes" in memory:
        found["private GB"] = memory["peak_private_bytes"] / 1e9
    return found


def report(options, figures):
    medians = {p: {n: statistics.median(v) for n, v in all.items()} for p, all in figures.items()}
    peers = [p for p in medians if p not in OURS]
    heads = list(medians) + [f"{peer}/{own}" for own in medians if own in OURS for peer in peers]
    print(f"{options.size}x{options.size}, {options.steps} steps, {options.rounds} rounds, medians in seconds")
    print("| | " + " | ".join(heads) + " |")
    print("|---" * (len(heads) + 1) + "|")
    for name in (*STAGES, "resident GB", "private GB"):
        row = [f"{all[name]:.2f}" if name in all else "" for all in medians.values()]
        for own in (p for p in medians if p in OURS):
            for peer in peers:
                mine, other = medians[own].get(name), medians[peer].get(name)
                row.append(f"{other / mine:.2f}" if mine and other and name in STAGES[1:] else "")
        print(f"| {name} | " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
