#!/usr/bin/env python3
"""Shows what a step cache spares and how far it leads off, threshold by threshold.

    python3 Benchmarks/step_cache.py MODEL [--prompts FILE] [--thresholds 0.05 0.1 …] [-- OPTIONS]

Makes the pictures of all prompts with all steps computed, and then with each threshold, from the same
noise. Columns: the share of steps that were skipped; the length of the difference of the final latents over
the length of those that are right, mean and largest; the mean PSNR of the pictures; the time of denoising
over that of all steps, which are computed again beside each threshold, the median of the prompts. `fewer`
is as many steps without a cache as the threshold has complete ones, which is the same work, with its error
and PSNR. OPTIONS go to flux2 generate. Needs `make build`, numpy and pillow.
"""
import argparse
import glob
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile

import numpy
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
FLUX2 = os.path.join(HERE, "..", ".build", "release", "flux2")
DEMO = os.path.join(HERE, "..", "Recipes", "emoji", "demo.txt")


def main():
    arguments, more = sys.argv[1:], []
    if "--" in arguments:
        place = arguments.index("--")
        arguments, more = arguments[:place], arguments[place + 1:]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--prompts", default=DEMO)
    parser.add_argument("--thresholds", nargs="+", default=["0.05", "0.1", "0.2", "0.3", "0.5"])
    options = parser.parse_args(arguments)
    exact = Run(options, more)
    print("threshold  skipped  error  largest  PSNR  time  | fewer  error  PSNR")
    for threshold in options.thresholds:
        beside = Run(options, more)
        cached = Run(options, more + ["--step-cache", threshold])
        complete = round(cached.steps - cached.skipped)
        fewer = Run(options, more + ["--steps", str(complete)])
        errors = cached.errors(exact)
        time = statistics.median(a / b for a, b in zip(cached.seconds, beside.seconds))
        print(f"{threshold}  {cached.skipped / cached.steps:.0%}  {statistics.mean(errors):.3f}  "
              f"{max(errors):.3f}  {cached.psnr(exact):.1f}  {time:.2f}  | {complete}  "
              f"{statistics.mean(fewer.errors(exact)):.3f}  {fewer.psnr(exact):.1f}", flush=True)


class Run:
    """The pictures of all prompts, with their final latents and the seconds of denoising each."""

    def __init__(self, options, more):
        with tempfile.TemporaryDirectory() as folder:
            outcome = subprocess.run(
                [FLUX2, "generate", "--model", options.model, "--prompt-file", options.prompts,
                 "--seed", "1", "--json", "--quiet", "--output", folder + "/p.png",
                 "--save-latents", folder + "/l.safetensors"] + more,
                stdout=subprocess.PIPE, text=True, check=True)
            reports = [json.loads(line) for line in outcome.stdout.splitlines()]
            self.latents = [read(path) for path in sorted(glob.glob(folder + "/l*.safetensors"))]
            self.pictures = [
                numpy.asarray(Image.open(path).convert("RGB"), dtype="f8")
                for path in sorted(glob.glob(folder + "/p*.png"))]
        self.steps = reports[0]["settings"]["steps"]
        self.skipped = statistics.mean(report.get("skipped_steps", 0) for report in reports)
        self.seconds = [sum(report["seconds"]["steps"]) for report in reports]

    def errors(self, exact):
        return [float(numpy.linalg.norm(a - b) / numpy.linalg.norm(b))
                for a, b in zip(self.latents, exact.latents)]

    def psnr(self, exact):
        """The mean over the pictures; one that is the same to the byte counts as 100 dB."""
        squares = [float(numpy.mean((a - b) ** 2)) for a, b in zip(self.pictures, exact.pictures)]
        return statistics.mean(
            10 * math.log10(255 ** 2 / square) if square else 100 for square in squares)


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


main()
