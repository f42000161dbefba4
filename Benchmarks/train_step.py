#!/usr/bin/env python3
"""Time LoRA training steps of flux2 and of PyTorch in eager mode, one after the other.

    train_step.py CHECKPOINT --flux2 .build/release/flux2 [--size 512] [--rank 32] [--steps 3]

Both train all matrices of the blocks on one encoded sample of random numbers, with blocks computed
again for gradients, in bfloat16. flux2 runs a second time with frozen matrices in 8 bits. Prints
seconds per step (the first, which reads the disk, apart) and the most private memory.

Needs: torch, diffusers, peft, safetensors.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time

TARGETS = ["to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out",
           "linear_in", "linear_out", "to_qkv_mlp_proj"]


def private_bytes(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        fields = dict(line.split(":", 1) for line in status if ":" in line)
    return sum(int(fields.get(k, "0 kB").split()[0]) for k in ("RssAnon", "RssShmem")) * 1024


def watched(command, environment=None):
    """Runs a command; gives its output and the most private memory it had."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    peak = [0]

    def look():
        while process.poll() is None:
            try:
                peak[0] = max(peak[0], private_bytes(process.pid))
            except OSError:
                return
            time.sleep(0.02)

    watcher = threading.Thread(target=look)
    watcher.start()
    output = process.communicate()[0]
    watcher.join()
    if process.returncode != 0:
        sys.exit(f"{command[0]} has failed")
    return output, peak[0]


def sample(size, width):
    import torch
    n = size // 16
    g = torch.Generator().manual_seed(0)
    ids = torch.cartesian_prod(torch.arange(1), torch.arange(n), torch.arange(n), torch.arange(1))[None]
    return {
        "shared.input_latents": torch.randn(1, n * n, 128, generator=g).bfloat16(),
        "shared.image_ids": ids.contiguous(),
        "positive.prompt_embeds": torch.randn(1, 512, width, generator=g).bfloat16(),
    }


def eager(a):
    """The same step in PyTorch: what DiffSynth-Studio's trainer does, without its loader."""
    import torch
    from diffusers import Flux2Transformer2DModel
    from peft import LoraConfig, inject_adapter_in_model
    if a.threads:
        torch.set_num_threads(a.threads)
    model = Flux2Transformer2DModel.from_pretrained(a.checkpoint + "/transformer", torch_dtype=torch.bfloat16)
    model.requires_grad_(False)
    targets = TARGETS + [f"single_transformer_blocks.{i}.attn.to_out"
                         for i in range(len(model.single_transformer_blocks))]
    model = inject_adapter_in_model(LoraConfig(r=a.rank, lora_alpha=a.rank, target_modules=targets), model)
    trained = [p for p in model.parameters() if p.requires_grad]
    for p in trained:
        p.data = p.data.bfloat16()
    model.enable_gradient_checkpointing()
    model.train()
    optimizer = torch.optim.AdamW(trained, lr=1e-4)
    data = sample(a.size, model.config.joint_attention_dim)
    text = data["positive.prompt_embeds"]
    text_ids = torch.zeros(1, text.shape[1], 4, dtype=torch.long)
    text_ids[0, :, 3] = torch.arange(text.shape[1])
    for _ in range(a.steps):
        begun = time.perf_counter()
        clean = data["shared.input_latents"]
        noise = torch.randn_like(clean)
        sigma = torch.rand(1)
        noised = ((1 - sigma) * clean + sigma * noise).bfloat16()
        velocity = model(hidden_states=noised, encoder_hidden_states=text, timestep=sigma.bfloat16(),
                         img_ids=data["shared.image_ids"], txt_ids=text_ids, guidance=None,
                         return_dict=False)[0]
        loss = torch.nn.functional.mse_loss(velocity.float(), (noise - clean).float())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        print(json.dumps({"seconds_per_step": time.perf_counter() - begun}), flush=True)


def flux2(a, folder, weights):
    from safetensors.torch import save_file
    width = json.load(open(a.checkpoint + "/transformer/config.json", encoding="utf-8"))["joint_attention_dim"]
    cache = os.path.join(folder, "cache")
    os.makedirs(cache, exist_ok=True)
    save_file(sample(a.size, width), os.path.join(cache, "0.safetensors"), metadata={"inputs": "{}"})
    out = os.path.join(folder, weights)
    transformer = a.checkpoint + "/transformer"
    command = [a.flux2, "train", "--task", "sft:train", "--dataset_base_path", cache, "--dataset_repeat",
               str(a.steps), "--model_paths", json.dumps([transformer]), "--lora_base_model", "dit",
               "--lora_target_modules", "", "--lora_rank", str(a.rank), "--use_gradient_checkpointing",
               "--output_path", out, "--enable_json_log", "--no-keep-state", "--seed", "0", "--quiet"]
    if weights == "int8":
        command += ["--quant_options", transformer + ":int8"]
    if a.threads:
        command += ["--threads", str(a.threads)]
    _, peak = watched(command)
    with open(os.path.join(out, "log.jsonl"), encoding="utf-8") as log:
        return [json.loads(line)["seconds_per_step"] for line in log], peak


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("checkpoint")
    p.add_argument("--flux2", default=".build/release/flux2")
    p.add_argument("--size", type=int, default=512)
    p.add_argument("--rank", type=int, default=32)
    p.add_argument("--steps", type=int, default=3)
    p.add_argument("--threads", type=int)
    p.add_argument("--only", default="pytorch,bfloat16,int8")
    p.add_argument("--eager", action="store_true", help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.eager:
        eager(a)
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in a.only.split(","):
            if kind == "pytorch":
                output, peak = watched([sys.executable] + sys.argv + ["--eager"])
                seconds = [json.loads(line)["seconds_per_step"] for line in output.splitlines()
                           if line.startswith("{")]
            else:
                seconds, peak = flux2(a, folder, kind)
            rows.append((kind, seconds, peak))
            print(f"{kind:10} first {seconds[0]:7.2f} s, then "
                  + ", ".join(f"{s:.2f}" for s in seconds[1:]) + f" s a step; {peak / 1e9:.2f} GB private",
                  flush=True)
    means = {kind: sum(s[1:]) / max(1, len(s) - 1) for kind, s, _ in rows}
    for kind in means:
        if kind != "pytorch" and "pytorch" in means:
            print(f"{kind}: {means[kind] / means['pytorch']:.2f} of PyTorch's time")


if __name__ == "__main__":
    main()
