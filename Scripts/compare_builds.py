#!/usr/bin/env python3
"""Compares two builds of flux2 bit for bit: what a change that only rearranges has to leave as it is.

    Scripts/compare_builds.py OLD NEW [--only WORD] [--threads N]

Runs both programs on the tiny models of Tests/Reference and on the bundled model: latents and pixels of
every kind of generation, in float32 and bfloat16, by libtorch's kernels and by this package's own; the sheet of
`make demo`; losses and checkpoints of short trainings. Lists what differs, and exits with 1 if anything does.
"""
import argparse
import hashlib
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import zlib

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
REFERENCE = os.path.join(ROOT, "Tests", "Reference")
INPUTS = os.path.join(REFERENCE, "inputs")
EMOJI = os.path.join(ROOT, "Models", "emoji")

SMALL = ["--height", "64", "--width", "96"]
FROM_IMAGE = SMALL + ["--input-image", f"{INPUTS}/init_64x96.png"]
GENERATIONS = {
    "text": SMALL,
    "guidance": SMALL + ["--cfg-scale", "4", "--negative-prompt", "blurry"],
    "first-block-cache": SMALL + ["--steps", "8", "--step-cache", "0.2"],
    "img2img": FROM_IMAGE + ["--denoising-strength", "0.7"],
    "inpaint": FROM_IMAGE + ["--inpaint-mask", f"{INPUTS}/mask_64x96.png", "--inpaint-blur-size", "1",
                             "--inpaint-blur-sigma", "1"],
    "edit": SMALL + ["--edit-image", f"{INPUTS}/init_64x64.png", "--edit-image", f"{INPUTS}/init_64x96.png",
                     "--no-edit-image-auto-resize"],
    "strips": ["--height", "256", "--width", "320", "--tiling", "strips"],
    "tiles": ["--height", "256", "--width", "320", "--tiled", "--tile-size", "16", "--tile-stride", "8"],
    "overlapping": ["--height", "256", "--width", "320", "--tiling", "overlapping"],
    "lora": SMALL + ["--lora", f"{INPUTS}/lora/peft.safetensors:0.7", "--cfg-scale", "3", "--partial-lora"],
    "negative-lora": SMALL + ["--negative-lora", f"{INPUTS}/lora/kohya.safetensors:2", "--cfg-scale", "3",
                              "--partial-lora", "--lora-mode", "hot"],
    "int8": SMALL + ["--weights", "int8"],
    "float8": SMALL + ["--weights", "float8"],
    "streamed": SMALL + ["--rehearse", "--vram-limit", "1", "--cfg-scale", "3"],
    "diffusers": SMALL + ["--parity", "diffusers"],
    "bfl": SMALL + ["--parity", "bfl"],
}
MODELS = {"klein": f"{REFERENCE}/models/tiny-klein", "dev": f"{REFERENCE}/models/tiny-dev"}

DATA = ["--dataset-base-path", INPUTS, "--dataset-metadata-path", f"{INPUTS}/dataset/metadata.csv",
        "--height", "64", "--width", "64", "--dataset-repeat", "2", "--num-epochs", "1",
        "--learning-rate", "1e-3", "--text-length", "64", "--seed", "3", "--enable-csv-log"]
LORA = ["--lora-base-model", "dit", "--lora-rank", "4", "--lora-target-modules", "to_q,to_k,to_v,to_qkv_mlp_proj"]
TRAININGS = {
    "lora": LORA,
    "lora-checkpointing": LORA + ["--use-gradient-checkpointing", "--batch-size", "2"],
    "full": ["--trainable-models", "dit", "--use-gradient-checkpointing"],
    "adam8bit": LORA + ["--optimizer", "adam8bit"],
    "muon": ["--trainable-models", "dit", "--optimizer", "muon"],
    "distill": LORA + ["--task", "direct_distill", "--dataset-metadata-path", "distill.csv", "--extra-inputs",
                       "seed,rand_device,num_inference_steps,cfg_scale"],
    "vae": ["--task", "vae", "--trainable-models", "vae"],
    "ema": LORA + ["--ema-decay", "0.9", "--gradient-accumulation-steps", "2"],
}


def run(program, arguments, folder):
    environment = dict(os.environ, FLUX2_PROMPT_CACHE="off", FLUX2_WEIGHT_CACHE=os.path.join(folder, "weights"))
    return subprocess.run([program] + arguments, capture_output=True, text=True, cwd=folder, env=environment)


def pixels(path):
    """The decompressed pixel data of a PNG file."""
    data, place, packed = open(path, "rb").read(), 8, b""
    while place < len(data):
        length, kind = struct.unpack(">I4s", data[place:place + 8])
        if kind == b"IHDR":
            head = data[place + 8:place + 8 + length]
        if kind == b"IDAT":
            packed += data[place + 8:place + 8 + length]
        place += 12 + length
    return head + zlib.decompress(packed)


def tensors(path):
    """The bytes of a safetensors file without its metadata."""
    data = open(path, "rb").read()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    return json.dumps(header, sort_keys=True).encode() + data[8 + length:]


def digest(data):
    return hashlib.sha256(data).hexdigest()[:16]


def failure(outcome):
    """What a failed run says, without places of temporary files."""
    lines = outcome.stderr.strip().splitlines()
    text = lines[-1] if lines else ""
    return {"failed": outcome.returncode, "line": re.sub(r"/\S*tmp\S*", "PATH", text)}


def generation(program, arguments, folder):
    outcome = run(program, ["generate", "a red fox", "--seed", "7", "--output", "image.png", "--quiet",
                            "--save-latents", "latents.safetensors", "--force"] + arguments, folder)
    if outcome.returncode != 0:
        return failure(outcome)
    return {"latents": digest(tensors(f"{folder}/latents.safetensors")),
            "pixels": digest(pixels(f"{folder}/image.png"))}


def training(program, arguments, folder):
    with open(f"{folder}/distill.csv", "w") as file:
        file.write("image,prompt,seed,rand_device,num_inference_steps,cfg_scale\nsquare.png,a dog,1,cpu,2,1\n")
    outcome = run(program, ["train", "--model", MODELS["klein"], "--output-path", "out", "--quiet"] + DATA + arguments,
                  folder)
    if outcome.returncode != 0:
        return failure(outcome)
    result = {}
    for base, _, names in os.walk(f"{folder}/out"):
        for name in names:
            path = os.path.join(base, name)
            if name.endswith(".safetensors"):
                result[os.path.relpath(path, folder)] = digest(tensors(path))
            elif name == "loss.csv":
                result["losses"] = digest(losses(path).encode())
    return result


def losses(path):
    """A table of losses without the columns that tell the time."""
    rows = [line.rstrip("\n").split(",") for line in open(path)]
    timed = [i for i, name in enumerate(rows[0]) if re.search("time|second|per_", name)]
    return "\n".join(",".join(x for i, x in enumerate(row) if i not in timed) for row in rows)


def demo(program, _, folder):
    outcome = run(program, ["generate", "--model", EMOJI, "--prompt-file", f"{ROOT}/Recipes/emoji/demo.txt", "--seed",
                            "1", "--grid", "--output", "demo.png", "--quiet", "--force"], folder)
    return {"sheet": digest(pixels(f"{folder}/demo-grid.png"))} if outcome.returncode == 0 else failure(outcome)


def cases(threads):
    for kernels in ["reference", "portable", "auto"]:
        for dtype in ["float32", "bfloat16"]:
            how = ["--kernels", kernels, "--dtype", dtype] + (["--threads", threads] if threads else [])
            for model, path in MODELS.items():
                for name, arguments in GENERATIONS.items():
                    yield f"generate {model} {name} {dtype} {kernels}", generation, ["--model", path] + arguments + how
    yield "demo", demo, []
    for dtype in ["float32", "bfloat16"]:
        for name, arguments in TRAININGS.items():
            yield f"train {name} {dtype}", training, arguments + ["--dtype", dtype]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--only", default="", help="only cases whose name has this in it")
    parser.add_argument("--threads", help="processor threads; libtorch's own choice when absent")
    options = parser.parse_args()
    same = different = failed = 0
    for name, kind, arguments in cases(options.threads):
        if options.only not in name:
            continue
        results = []
        for program in [options.old, options.new]:
            with tempfile.TemporaryDirectory() as folder:
                results.append(kind(os.path.abspath(program), arguments, folder))
        if results[0] != results[1]:
            different += 1
            print(f"{name}\n  old {results[0]}\n  new {results[1]}", flush=True)
        elif "failed" in results[0]:
            failed += 1
            print(f"{name}: both refuse: {results[0]['line']}", flush=True)
        else:
            same += 1
    print(f"{same} the same, {different} different, {failed} refused by both")
    sys.exit(1 if different or not same else 0)


if __name__ == "__main__":
    main()
