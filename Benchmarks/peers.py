#!/usr/bin/env python3
"""Draws one picture with a Python peer and prints the seconds of its stages as JSON.

    python3 Benchmarks/peers.py diffsynth|diffusers MODEL --size 512 --steps 4 --output PICTURE

MODEL is a folder of klein in the hub's layout. Needs torch 2.13, and diffsynth 2.1 with torchvision
or diffusers 0.42, each with transformers 5. `compare.py` runs it beside flux2.
"""
import argparse
import glob
import json
import os
import resource
import sys
import time

STARTED = time.perf_counter()


def mend_torchvision():
    """Lets torchvision built for CUDA be imported beside torch built without it."""
    import torch

    try:
        import torchvision  # noqa: F401
        return None
    except ImportError:
        return None
    except RuntimeError:
        for name in [m for m in sys.modules if m.split(".")[0] == "torchvision"]:
            del sys.modules[name]
    library = torch.library.Library("torchvision", "FRAGMENT")
    library.define("nms(Tensor boxes, Tensor scores, float threshold) -> Tensor")
    library.define("qnms(Tensor boxes, Tensor scores, float threshold) -> Tensor")
    return library


class Clock:
    """Seconds between marks; the marks between steps are made by the peers' own callbacks."""

    def __init__(self):
        self.last = STARTED
        self.seconds = {"steps": []}

    def mark(self, stage):
        now = time.perf_counter()
        if stage == "step":
            self.seconds["steps"].append(now - self.last)
        else:
            self.seconds[stage] = now - self.last
        self.last = now


def draw_with_diffsynth(options, clock):
    import torch
    from diffsynth.pipelines.flux2_image import Flux2ImagePipeline, ModelConfig

    def part(folder):
        return ModelConfig(path=sorted(glob.glob(os.path.join(options.model, folder, "*.safetensors"))))

    pipeline = Flux2ImagePipeline.from_pretrained(
        torch_dtype=torch.bfloat16, device="cpu",
        model_configs=[part("text_encoder"), part("transformer"), part("vae")],
        tokenizer_config=ModelConfig(path=os.path.join(options.model, "tokenizer")))
    clock.mark("load")

    def progress(steps):
        clock.mark("encode")
        for step in steps:
            yield step
            clock.mark("step")

    picture = pipeline(
        options.prompt, seed=1, height=options.size, width=options.size, rand_device="cpu",
        num_inference_steps=options.steps, progress_bar_cmd=progress)
    clock.mark("decode")
    return picture


def draw_with_diffusers(options, clock):
    import torch
    from diffusers import Flux2KleinPipeline

    pipeline = Flux2KleinPipeline.from_pretrained(options.model, torch_dtype=torch.bfloat16)
    pipeline.set_progress_bar_config(disable=True)
    clock.mark("load")
    features, _ = pipeline.encode_prompt(options.prompt, device="cpu")
    clock.mark("encode")

    def after_step(pipeline, step, timestep, tensors):
        clock.mark("step")
        return tensors

    picture = pipeline(
        prompt_embeds=features, height=options.size, width=options.size, guidance_scale=1.0,
        num_inference_steps=options.steps, generator=torch.Generator().manual_seed(1),
        callback_on_step_end=after_step).images[0]
    clock.mark("decode")
    return picture


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer", choices=["diffsynth", "diffusers"])
    parser.add_argument("model")
    parser.add_argument("--prompt", default="a red fox in the snow")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--output", required=True)
    options = parser.parse_args()
    clock = Clock()
    library = mend_torchvision()  # noqa: F841 - lives as long as torchvision
    import torch

    torch.set_grad_enabled(False)
    draw = draw_with_diffsynth if options.peer == "diffsynth" else draw_with_diffusers
    draw(options, clock).save(options.output)
    seconds = clock.seconds
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "resident_bytes": peak, "threads": torch.get_num_threads()}))


if __name__ == "__main__":
    sys.exit(main())
