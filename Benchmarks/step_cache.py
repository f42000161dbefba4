#!/usr/bin/env python3
"""Shows what a step cache spares and how far it leads off, threshold by threshold.

    python3 Benchmarks/step_cache.py MODEL [--prompts FILE] [--thresholds 0.05 0.1 …] [-- OPTIONS]

Makes the pictures of all prompts with all steps computed, then with each threshold, all from the same
noise, and compares the final latents: the length of their difference over the length of what is right,
the mean over the prompts and the largest of them. `fewer` are as many steps without a cache as a
threshold has complete ones, for comparison. OPTIONS go to flux2 generate. Needs `make build` and numpy.
"""
import argparse
import glob
import json
import os
import statistics
import subprocess
import sys
import tempfile

import numpy

HERE = os.path.dirname(os.path.abspath(__file__))
FLUX2 = os.path.join(HERE, "..", ".build", "release", "flux2")
DEMO = os.path.join(HERE, "..", "Recipes", "emoji", "demo.txt")


def main():
    own, _, more = " ".join(sys.argv[1:]).partition(" -- ")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--prompts", default=DEMO)
    parser.add_argument("--thresholds", nargs="+", default=["0.05", "0.1", "0.2", "0.3", "0.5"])
    options = parser.parse_args(own.split())
    exact, _, steps, seconds = pictures(options, more.split())
    print("threshold  skipped  error  largest  fewer  seconds a picture")
    print(f"off  0 %  0  0  0  {seconds:.2f}")
    for threshold in options.thresholds:
        found, skipped, _, seconds = pictures(
            options, more.split() + ["--step-cache", threshold])
        errors = distances(found, exact)
        complete = round(steps - skipped)
        fewer, _, _, _ = pictures(options, more.split() + ["--steps", str(complete)])
        print(f"{threshold}  {skipped / steps:.0%}  {statistics.mean(errors):.3f}  "
              f"{max(errors):.3f}  {statistics.mean(distances(fewer, exact)):.3f}  {seconds:.2f}",
              flush=True)


def pictures(options, more):
    """Final latents, and the means of skipped steps, steps and seconds of denoising."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = subprocess.run(
            [FLUX2, "generate", "--model", options.model, "--prompt-file", options.prompts,
             "--seed", "1", "--json", "--quiet", "--output", folder + "/p.png",
             "--save-latents", folder + "/l.safetensors"] + more,
            stdout=subprocess.PIPE, text=True, check=True)
        reports = [json.loads(line) for line in outcome.stdout.splitlines()]
        latents = [read(path) for path in sorted(glob.glob(folder + "/l*.safetensors"))]
    return (latents, statistics.mean(report.get("skipped_steps", 0) for report in reports),
            reports[0]["settings"]["steps"],
            statistics.mean(sum(report["seconds"]["steps"]) for report in reports))


def read(path):
    """The final latents of a file that --save-latents wrote."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    begin, end = header["latents"]["data_offsets"]
    if header["latents"]["dtype"] == "F32":
        return numpy.frombuffer(data[begin:end], "<f4")
    # The upper half of 32 bits.
    return (numpy.frombuffer(data[begin:end], "<u2").astype("<u4") << 16).view("<f4")


def distances(found, exact):
    return [float(numpy.linalg.norm(a - b) / numpy.linalg.norm(b)) for a, b in zip(found, exact)]


main()
