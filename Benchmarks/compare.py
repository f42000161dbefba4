#!/usr/bin/env python3
"""Times flux2 and diffusers in turn on one klein checkpoint, stage by stage, and prints ratios.

    python3 Benchmarks/compare.py MODEL [--size 512] [--steps 4] [--rounds 2]

MODEL is a folder in the hub's layout. Needs torch 2.13, diffusers 0.42 and transformers 5.10 for
the peer, and `make build` for flux2. Each round runs flux2, then the peer, each in a process of its
own after the files it reads were read once; the figures are medians over rounds and repetitions.
The peer's weights are loaded before its clock starts, flux2's are not: its figures include mapping.
"""
import argparse
import glob
import json
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
FLUX2 = os.path.join(HERE, "..", ".build", "release", "flux2")
PROMPT = "a red fox in the snow"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--peer", choices=["encode", "denoise", "decode"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        library = mend_torchvision()
        print(json.dumps({"encode": peer_encode, "denoise": peer_denoise, "decode": peer_decode}[
            options.peer](options)))
        return
    ours, peer = {}, {}
    for _ in range(options.rounds):
        collect(ours, run_flux2(options))
        for stage in ("encode", "denoise", "decode"):
            collect(peer, run_peer(options, stage))
    report(ours, peer)


def collect(all, one):
    for name, values in one.items():
        all.setdefault(name, []).extend(values)


def warm(options, folders):
    """Reads the files until that is fast, so that neither side waits for the disk."""
    for _ in range(5):
        started, size = time.perf_counter(), 0
        for folder in folders:
            for file in glob.glob(os.path.join(options.model, folder, "*.safetensors")):
                with open(file, "rb", buffering=0) as stream:
                    while block := stream.read(1 << 24):
                        size += len(block)
        if size / (time.perf_counter() - started) > 1e9:
            return
    print(f"{folders} do not stay in memory; expect slow first uses", file=sys.stderr)


def run_flux2(options):
    warm(options, ("vae", "transformer", "text_encoder"))
    started = time.perf_counter()
    outcome = subprocess.run(
        [FLUX2, "generate", PROMPT, "--model", options.model, "--height", str(options.size),
         "--width", str(options.size), "--steps", str(options.steps), "--seed", "1", "--json",
         "--quiet", "--force", "--no-prompt-cache", "--output", "/tmp/flux2-compare.png"],
        stdout=subprocess.PIPE, check=True, text=True)
    result = json.loads(outcome.stdout)
    seconds = result["seconds"]
    wall = time.perf_counter() - started
    known = seconds["encode"] + sum(seconds["steps"]) + seconds["decode"]
    return {
        "encode": [seconds["encode"]], "first step": seconds["steps"][:1],
        "step": seconds["steps"][1:] or seconds["steps"], "decode": [seconds["decode"]],
        "all else": [wall - known], "private GB": [result["memory"]["peak_private_bytes"] / 1e9],
    }


def run_peer(options, stage):
    warm(options, ["vae", "transformer", "text_encoder"][["decode", "denoise", "encode"].index(stage):][:1])
    outcome = subprocess.run(
        [sys.executable, os.path.abspath(__file__), options.model, "--size", str(options.size),
         "--steps", str(options.steps), "--peer", stage],
        stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(outcome.stdout.splitlines()[-1])


def mend_torchvision():
    """Lets torchvision built for CUDA be imported beside torch built without it."""
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    library.define("nms(Tensor boxes, Tensor scores, float threshold) -> Tensor")
    library.define("qnms(Tensor boxes, Tensor scores, float threshold) -> Tensor")
    return library


def clocked(body, repetitions):
    seconds = []
    for _ in range(repetitions):
        started = time.perf_counter()
        body()
        seconds.append(time.perf_counter() - started)
    return seconds


def peer_encode(options):
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_grad_enabled(False)
    model = AutoModelForCausalLM.from_pretrained(
        os.path.join(options.model, "text_encoder"), dtype=torch.bfloat16)
    # Every weight is touched once, since loading maps them.
    for parameter in model.parameters():
        parameter.sum()
    ids = torch.randint(0, 1000, (1, 512), generator=torch.Generator().manual_seed(0))
    full = clocked(lambda: model(input_ids=ids, output_hidden_states=True, use_cache=False), 3)
    model.model.layers = model.model.layers[:27]
    short = clocked(lambda: model.model(input_ids=ids, output_hidden_states=True, use_cache=False), 3)
    return {"encode": full, "encode, 27 layers, no head": short}


def peer_denoise(options):
    import torch
    from diffusers import Flux2Transformer2DModel

    torch.set_grad_enabled(False)
    model = Flux2Transformer2DModel.from_pretrained(
        os.path.join(options.model, "transformer"), torch_dtype=torch.bfloat16)
    for parameter in model.parameters():
        parameter.sum()
    side = options.size // 16
    one = torch.arange(1)
    places = torch.arange(side)
    latents = torch.randn(1, side * side, model.config.in_channels, dtype=torch.bfloat16)
    text = torch.randn(1, 512, model.config.joint_attention_dim, dtype=torch.bfloat16)
    inputs = {
        "hidden_states": latents, "encoder_hidden_states": text,
        "timestep": torch.tensor([0.5], dtype=torch.bfloat16), "guidance": None,
        "img_ids": torch.cartesian_prod(one, places, places, one)[None],
        "txt_ids": torch.cartesian_prod(one, one, one, torch.arange(512))[None],
        "return_dict": False,
    }
    seconds = clocked(lambda: model(**inputs), options.steps)
    return {"first step": seconds[:1], "step": seconds[1:] or seconds}


def peer_decode(options):
    import torch
    from diffusers import AutoencoderKLFlux2

    torch.set_grad_enabled(False)
    model = AutoencoderKLFlux2.from_pretrained(
        os.path.join(options.model, "vae"), torch_dtype=torch.bfloat16)
    latents = torch.randn(1, 32, options.size // 8, options.size // 8, dtype=torch.bfloat16)
    return {"decode": clocked(lambda: model.decode(latents, return_dict=False), 2)}


def report(ours, peer):
    peer["encode (27)"] = peer.pop("encode, 27 layers, no head")
    ours["encode (27)"] = ours["encode"]
    print(f"{'stage':<14}{'flux2':>9}{'diffusers':>11}{'ratio':>8}   (seconds; ratio: flux2 / peer)")
    for name, values in ours.items():
        mine = statistics.median(values)
        if name in peer:
            other = statistics.median(peer[name])
            print(f"{name:<14}{mine:9.2f}{other:11.2f}{mine / other:8.2f}")
        else:
            print(f"{name:<14}{mine:9.2f}")
    print(json.dumps({"flux2": ours, "diffusers": peer}))


if __name__ == "__main__":
    main()
