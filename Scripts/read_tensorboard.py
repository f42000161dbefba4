#!/usr/bin/env python3
"""Prints what TensorBoard sees in a folder of event files.

Needs: pip install tensorboard (2.21.0 was used).

    python3 Scripts/read_tensorboard.py <folder>

A line for each tag: `tag step=value …`, for pictures `tag step=<width>x<height> …`. Two readers of
TensorBoard's are asked and have to agree about scalars: one that drops what a first mark of a
session's start disowns, and the one of today's program, which waits for a second mark.
"""
import sys

from tensorboard.backend.event_processing import event_accumulator, plugin_event_accumulator
from tensorboard.util import tensor_util

EVERYTHING = {"scalars": 0, "images": 0, "tensors": 0}


def main():
    old = event_accumulator.EventAccumulator(sys.argv[1], size_guidance=EVERYTHING).Reload()
    new = plugin_event_accumulator.EventAccumulator(sys.argv[1], size_guidance=EVERYTHING).Reload()
    for tag in sorted(old.Tags()["scalars"]):
        values = [(event.step, event.value) for event in old.Scalars(tag)]
        today = [(event.step, float(tensor_util.make_ndarray(event.tensor_proto)))
                 for event in new.Tensors(tag)]
        if values != today:
            sys.exit(f"{tag}: one reader sees {values}, the other {today}")
        print(tag, *(f"{step}={value}" for step, value in values))
    for tag in sorted(old.Tags()["images"]):
        pictures = old.Images(tag)
        if pictures:
            print(tag, *(f"{event.step}={event.width}x{event.height}" for event in pictures))


main()
