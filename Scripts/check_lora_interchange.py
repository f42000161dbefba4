#!/usr/bin/env python3
"""Shows that LoRAs go from PEFT and diffusers to flux2 and back, by equal latents.

    pip install torch==2.13.0 diffusers==0.42.1 transformers==5.23.0 peft==0.21.2 safetensors==0.8.0
    python3 Scripts/check_lora_interchange.py [--flux2 PATH]

Needs a built flux2 besides. LoRAs of random weights are put on the tiny klein model, in 32 bits;
flux2 and diffusers' pipeline denoise the same noise. "effect" is the largest change of a latent by
the LoRA in the program that it comes from, "difference" the largest one between that program and
the reader. A row passes when the difference is at most 1e-4 of the effect, and the effect at least
1e-3. A "limit" is what a reader is known not to take. The status is 1 when a row fails.
"""
import argparse
import functools
import logging
import os
import subprocess
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
import diffusers
import peft
import torch
import transformers
from diffusers.training_utils import _collate_lora_metadata
from safetensors.torch import load_file, save_file

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MODEL = os.path.join(ROOT, "Tests/Reference/models/tiny-klein")
PROMPT, STEPS = "a red fox in the snow", 3
NAMINGS = ["diffsynth", "diffusers", "peft", "comfyui", "kohya"]
# What DiffSynth-Studio trains: every matrix of the blocks.
BLOCKS = [
    "to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out",
    "linear_in", "linear_out", "to_qkv_mlp_proj",
    *[f"single_transformer_blocks.{block}.attn.to_out" for block in range(3)]]
KINDS = {
    "alpha 4": dict(lora_alpha=4), "alpha 10": dict(lora_alpha=10),
    "patterns": dict(lora_alpha=6, rank_pattern={"to_q": 2, "transformer_blocks.0.ff.linear_in": 8},
                     alpha_pattern={"to_v": 3, "single_transformer_blocks.1.attn.to_out": 9}),
    "edges": dict(lora_alpha=4, target_modules=BLOCKS + [
        "x_embedder", "context_embedder", "proj_out", "timestep_embedder.linear_1"]),
    "modulations": dict(lora_alpha=4, target_modules=BLOCKS + [
        "double_stream_modulation_img.linear", "single_stream_modulation.linear"]),
    "norm_out": dict(lora_alpha=4, target_modules=BLOCKS + ["norm_out.linear"]),
    "rsLoRA": dict(lora_alpha=3, use_rslora=True), "DoRA": dict(lora_alpha=6, use_dora=True),
    "biases": dict(lora_alpha=4, lora_bias=True),
    # PEFT takes the first pattern that matches, and patterns are regular expressions.
    "rival patterns": dict(lora_alpha=4, alpha_pattern={
        "attn.to_q": 1, "attn.to_k": 1, "attn.to_v": 1, "to_q": 9, "to_k": 9, "to_v": 9}),
    "regex patterns": dict(lora_alpha=4, alpha_pattern={
        r"^transformer_blocks\.0\.attn\.to_q": 9, r"ff.*\.linear_\w+": 1}),
}
# What diffusers fails at: why, and a part of the error's line where it raises one.
LIMITS = {f"{kind}: convert to {naming}": (why, error) for kinds, naming, why, error in [
    (["alpha 10", "patterns"], "comfyui", "diffusers takes no alphas here", "should be empty"),
    (["alpha 10", "patterns"], "peft", "diffusers ignores adapter_config.json", None),
    (["edges", "modulations", "norm_out"], "peft", "diffusers refuses these modules", "should be empty"),
    (["modulations", "norm_out"], "kohya", "diffusers drops these modules", None),
    (["norm_out"], "comfyui", "diffusers does not swap the halves of norm_out", None),
    (["alpha 4"], "diffsynth", "diffusers does not read this naming", None)] for kind in kinds}
LIMITS["biases: save_pretrained"] = ("flux2 refuses biases", "bias")


def randomise(model, seed):
    """The second matrices are zero when fresh."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            size = parameter.shape[1] ** -0.5 if "lora_A" in name else 0.15
            random = size * torch.randn(parameter.shape, generator=generator)
            parameter.data = random + (parameter.data if "magnitude" in name else 0)


def distance(one, other):
    return torch.dist(one, other, torch.inf).item()


class Check:
    """flux2 and diffusers with one model, prompt and noise."""

    def __init__(self, program, folder):
        self.program, self.folder, self.failed = program, folder, 0
        self.noise = torch.randn(1, 128, 4, 4, generator=torch.Generator().manual_seed(7))
        self.noise_file = self.path("noise.safetensors")
        save_file({"noise": self.noise}, self.noise_file)
        self.pipe = diffusers.Flux2KleinPipeline.from_pretrained(MODEL, torch_dtype=torch.float32)
        self.pipe.set_progress_bar_config(disable=True)
        self.text, _ = self.pipe.encode_prompt(PROMPT)
        self.plain = self.diffusers(self.fresh())

    def path(self, name):
        """A name in a folder of its own: PEFT's settings lie beside the weights."""
        return os.path.join(tempfile.mkdtemp(dir=self.folder), name)

    def run(self, *arguments):
        result = subprocess.run([self.program, *arguments], capture_output=True, text=True, timeout=600)
        if result.returncode != 0:
            raise RuntimeError(result.stderr.strip())

    def flux2(self, *loras):
        latents = self.path("latents.safetensors")
        options = (f"--device cpu --dtype float32 --threads 1 --parity diffusers --width 64 --height 64 "
                   f"--steps {STEPS} --cfg-scale 1 --seed 0 --quiet").split()
        self.run(
            "generate", PROMPT, "--model", MODEL, *options, "--initial-noise", self.noise_file,
            "--save-latents", latents, "--output", self.path("image.png"),
            *[word for lora in loras for word in ("--lora", lora)])
        return load_file(latents)["latents"]

    def lora(self, *arguments, to):
        """Runs `flux2 lora`; gives the file it wrote."""
        path = self.path("adapter_model.safetensors")
        self.run("lora", *arguments, "--to", to, "--output", path)
        return path

    def fresh(self):
        """The pipeline with a transformer that nothing was put on."""
        self.pipe.transformer = diffusers.Flux2Transformer2DModel.from_pretrained(
            MODEL, subfolder="transformer", torch_dtype=torch.float32)
        return self.pipe

    def diffusers(self, pipe):
        final = {}
        pipe(
            prompt_embeds=self.text, latents=self.noise, height=64, width=64, num_inference_steps=STEPS,
            guidance_scale=1.0, output_type="latent",
            callback_on_step_end=lambda pipe, step, time, values: final.update(values) or values)
        # The pipeline's own result is scaled and taken out of patches.
        return final["latents"].transpose(1, 2).reshape(self.noise.shape)

    def loaded(self, *paths, weights=None):
        pipe = self.fresh()
        for path in paths:
            pipe.load_lora_weights(path, adapter_name=f"lora_{paths.index(path)}")
        if weights:
            pipe.set_adapters([f"lora_{index}" for index in range(len(paths))], weights)
        return self.diffusers(pipe)

    def loaded_by_peft(self, path):
        peft.PeftModel.from_pretrained(self.fresh().transformer, os.path.dirname(path))
        return self.diffusers(self.pipe)

    def written(self, kind, how="save_pretrained", seed=1):
        """A file of one of PEFT's and diffusers' ways to save, and its latents."""
        pipe, path = self.fresh(), self.path("adapter_model.safetensors")
        folder, name = os.path.split(path)
        settings = peft.LoraConfig(**{"target_modules": BLOCKS, "r": 4, **KINDS[kind]})
        wrap = functools.partial(peft.get_peft_model, pipe.transformer)
        model = (wrap if how == "save_pretrained" else pipe.transformer.add_adapter)(settings)
        randomise(pipe.transformer, seed)
        state = peft.get_peft_model_state_dict(pipe.transformer)
        if how == "save_pretrained":
            model.save_pretrained(folder)
        elif how == "state dict":
            save_file(state, path)
        elif how == "save_lora_adapter":
            pipe.transformer.save_lora_adapter(folder, weight_name=name)
        else:
            notes = _collate_lora_metadata({"transformer": pipe.transformer}) if how == "noted" else {}
            pipe.save_lora_weights(folder, state, weight_name=name, **notes)
        return path, self.diffusers(pipe)

    def row(self, case, direction, wanted, make, least=1e-3):
        """Holds what `make` gives against the latents of the program the LoRA comes from."""
        effect, line = distance(wanted, self.plain), ""
        limit = LIMITS.get(case, ("", None)) if direction != "flux2 to peft" else ("", None)
        try:
            difference = distance(wanted, make())
            good = effect >= least and difference <= 1e-4 * (effect or 1)
            difference, known = f"{difference:.1e}", limit[1] is None
        except Exception as error:
            line = f"\n    {type(error).__name__}: {error}"[:200]
            difference, good, known = "not read", False, limit[1] is not None and limit[1] in line
        verdict = "pass" if good else "limit: " + limit[0] if limit[0] and known else "FAIL" + line
        self.failed += verdict.startswith("FAIL")
        print(f"{case:<34} {direction:<18} {effect:7.3f} {difference:>10}  {verdict}", flush=True)


def check_reading(check):
    """What PEFT and diffusers write, in flux2."""
    check.row("no LoRA", "diffusers to flux2", check.plain, check.flux2, least=0)
    for kind, how in [
        *[(kind, "save_pretrained") for kind in KINDS], ("alpha 4", "state dict"),
        ("alpha 4", "save_lora_weights"), ("alpha 10", "noted"), ("patterns", "noted"),
        ("patterns", "save_lora_adapter"), ("rsLoRA", "noted")]:
        path, wanted = check.written(kind, how)
        writer = "peft" if how in ("save_pretrained", "state dict") else "diffusers"
        check.row(f"{kind}: {how}", f"{writer} to flux2", wanted, lambda: check.flux2(path))
    check.row("rsLoRA: weight 0.7", "diffusers to flux2",
              check.loaded(path, weights=[0.7]), lambda: check.flux2(path + ":0.7"))
    path, wanted = check.written("alpha 4", "save_lora_weights")
    beside = os.path.join(os.path.dirname(check.written("alpha 10")[0]), "style.safetensors")
    os.rename(path, beside)
    check.row("alpha 4: in a folder of PEFT's", "diffusers to flux2", wanted, lambda: check.flux2(beside))


def check_writing(check):
    """What `flux2 lora` writes, in flux2, PEFT and diffusers."""
    def rows(case, wanted, *arguments):
        file = functools.cache(lambda to: check.lora(*arguments, to=to))
        check.row(f"{case}, worst naming", "flux2 to flux2", wanted, lambda: max(
            (check.flux2(file(to)) for to in NAMINGS), key=lambda found: distance(found, wanted)))
        for to in NAMINGS if case == "alpha 4: convert" else NAMINGS[1:]:
            name = f"{case} to {to}"
            if to == "peft":
                check.row(name, "flux2 to peft", wanted, lambda: check.loaded_by_peft(file(to)))
            check.row(name, "flux2 to diffusers", wanted, lambda: check.loaded(file(to)))

    for kind in list(KINDS)[:6]:
        source, wanted = check.written(kind)
        rows(f"{kind}: convert", wanted, "convert", source, "--model", MODEL)
    one, two = check.written("patterns", "noted", 2)[0], check.written("rsLoRA", "noted", 3)[0]
    both, wanted = (one + ":0.8", two + ":-0.5"), check.loaded(one, two, weights=[0.8, -0.5])
    check.row("two LoRAs", "diffusers to flux2", wanted, lambda: check.flux2(*both))
    rows("merge", wanted, "merge", *both, "--model", MODEL)
    base, tuned = os.path.dirname(check.path("")), os.path.dirname(check.path(""))
    pipe = check.fresh()
    pipe.transformer.save_pretrained(os.path.join(base, "transformer"))
    pipe.load_lora_weights(one)
    pipe.fuse_lora()
    pipe.unload_lora_weights()
    pipe.transformer.save_pretrained(os.path.join(tuned, "transformer"))
    rows("extract", check.diffusers(pipe), "extract", base, tuned, "--rank", "8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flux2", default=os.path.join(ROOT, ".build/release/flux2"), help="the program")
    options = parser.parse_args()
    if not os.access(options.flux2, os.X_OK):
        parser.error(f"{options.flux2} is not there; build it, or give --flux2")
    logging.captureWarnings(True)
    logging.disable(logging.ERROR)
    diffusers.logging.disable_progress_bar()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    print(*(f"{used.__name__} {used.__version__}" for used in (torch, diffusers, transformers, peft)))
    with tempfile.TemporaryDirectory() as folder:
        check = Check(options.flux2, folder)
        print(f"{'case':<34} {'direction':<18} {'effect':>7} {'difference':>10}  verdict")
        check_reading(check)
        check_writing(check)
    return f"{check.failed} failed" if check.failed else None


if __name__ == "__main__":
    sys.exit(main())
