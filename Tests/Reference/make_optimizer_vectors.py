"""Makes goldens/optimizers: updates of optimizers and learning rates, by the libraries they are from.

    pip install torch==2.13.0 safetensors==0.8 transformers==5.24.0 bitsandbytes==0.50.2
    python3 make_optimizer_vectors.py

`<case>.safetensors` holds weights `in.<weight>`, gradients `in.<weight>.grad<i>`, and what is left
after the last update: `out.<weight>` and `out.<weight>.<part>`; `<case>.json` the settings.
clipping.safetensors holds gradients and what clipping makes of them, maps.safetensors the values of
8-bit moments, schedules.json factors of learning rates.

The 8-bit moments: bitsandbytes' routine for the CPU finds the nearest value by a table that is coarse
near 0 and differs from its kernels for GPUs there; its portable routine, which finds the nearest by
the middles between values, takes its place here. The update is bitsandbytes' own.
"""
import json
import os

import bitsandbytes as bnb
import torch
import transformers
from bitsandbytes.backends.cpu import ops as on_cpu
from safetensors.torch import save_file
from transformers.optimization import get_scheduler

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "goldens/optimizers")
os.makedirs(here, exist_ok=True)
torch.set_num_threads(1)
RATE = 1e-2


def nearest(values, code, scales, out, block):
    """The portable routine of `quantize_blockwise`, for whole blocks and a rest alike."""
    flat = values.reshape(-1)
    rest = -len(flat) % block
    blocks = torch.nn.functional.pad(flat, (0, rest)).reshape(-1, block)
    scales.copy_(blocks.abs().amax(-1))
    scaled = (blocks * (1.0 / scales.clamp(min=1e-38).view(-1, 1))).clamp(-1, 1).reshape(-1)[:len(flat)]
    out.copy_(torch.bucketize(scaled, (code[:-1] + code[1:]) / 2).to(torch.uint8).reshape(out.shape))


on_cpu._quant_blockwise_fp32_direct = nearest


def save(name, tensors, parameters):
    tensors = {key: value.detach().contiguous().clone() for key, value in tensors.items()}
    save_file(tensors, os.path.join(here, name + ".safetensors"))
    with open(os.path.join(here, name + ".json"), "w") as file:
        json.dump({"parameters": parameters}, file)
    print(name, len(tensors), "tensors")


def run(name, make, shapes, dtype, steps, parts, **settings):
    """Updates weights of these shapes; `parts` names what of the optimizer's state is kept."""
    random = torch.Generator().manual_seed(3)
    weights = {key: torch.nn.Parameter((torch.randn(shape, generator=random) * 0.02).to(dtype))
               for key, shape in shapes.items()}
    tensors = {f"in.{key}": weight.clone() for key, weight in weights.items()}
    optimizer = make(list(weights.values()), lr=RATE, **settings)
    for step in range(steps):
        for key, weight in weights.items():
            # Gradients have few bits, so that files are small.
            gradient = (torch.randn(weight.shape, generator=random) * 10 ** (step / 2 - 2)).bfloat16()
            tensors[f"in.{key}.grad{step}"] = gradient
            weight.grad = gradient.to(dtype)
        optimizer.step()
    for key, weight in weights.items():
        tensors[f"out.{key}"] = weight
        for part, ours in parts.items():
            value = optimizer.state[weight].get(part)
            if isinstance(value, torch.Tensor) and value.numel() > 1:
                tensors[f"out.{key}.{ours}"] = value
    save(name, tensors, {"rate": RATE, "steps": steps, "weights": list(shapes)} | settings)


moments = {"exp_avg": "exp_avg", "exp_avg_sq": "exp_avg_sq"}
small = {"matrix": (6, 37), "vector": (19,)}
for tag, dtype in (("f32", torch.float32), ("bf16", torch.bfloat16)):
    run(f"adamw_{tag}", torch.optim.AdamW, small, dtype, 5, moments,
        betas=(0.8, 0.95), eps=1e-6, weight_decay=0.3)
    run(f"adam_{tag}", torch.optim.Adam, small, dtype, 5, moments, weight_decay=0.2)
    run(f"sgd_{tag}", torch.optim.SGD, small, dtype, 3, {}, weight_decay=0.2)
    run(f"sgd_momentum_{tag}", torch.optim.SGD, small, dtype, 4, {"momentum_buffer": "momentum_buffer"},
        momentum=0.9, dampening=0.1, weight_decay=0.1)
    run(f"sgd_nesterov_{tag}", torch.optim.SGD, small, dtype, 4, {"momentum_buffer": "momentum_buffer"},
        momentum=0.8, nesterov=True)
    run(f"muon_{tag}", torch.optim.Muon, {"blocks.0.wide": (24, 40), "blocks.0.tall": (40, 24)}, dtype, 4,
        {"momentum_buffer": "momentum_buffer"}, weight_decay=0.3, adjust_lr_fn="match_rms_adamw")
    run(f"adafactor_{tag}", transformers.Adafactor, small | {"kernel": (5, 4, 3, 3)}, dtype, 5,
        {part: part for part in ("exp_avg_sq", "exp_avg_sq_row", "exp_avg_sq_col")},
        relative_step=False, scale_parameter=False, weight_decay=0.1)
    run(f"adam8bit_{tag}", bnb.optim.AdamW8bit, {"matrix": (67, 65), "vector": (100,)}, dtype, 4,
        {"state1": "exp_avg", "state2": "exp_avg_sq", "absmax1": "exp_avg_scale", "absmax2": "exp_avg_sq_scale"},
        weight_decay=0.1)

save("maps", {kind: bnb.functional.create_dynamic_map(signed=kind == "signed")
              for kind in ("signed", "unsigned")}, {})

random = torch.Generator().manual_seed(4)
tensors = {}
for tag, dtype in (("f32", torch.float32), ("bf16", torch.bfloat16)):
    weights = [torch.nn.Parameter(torch.zeros(shape, dtype=dtype)) for shape in ((7, 9), (40,))]
    for index, weight in enumerate(weights):
        weight.grad = torch.randn(weight.shape, generator=random).to(dtype)
        tensors[f"{tag}.in.{index}"] = weight.grad.clone()
    tensors[f"{tag}.norm"] = torch.nn.utils.clip_grad_norm_(weights, 0.7)
    for index, weight in enumerate(weights):
        tensors[f"{tag}.out.{index}"] = weight.grad
save("clipping", tensors, {"limit": 0.7})


def factors(name, warmup, updates, count, **settings):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = get_scheduler(name, optimizer, warmup, updates, settings or None)
    found = []
    for _ in range(count):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return {"shape": name, "warmup": warmup, "updates": updates, "factors": found} | settings


schedules = []
for warmup in (0, 4):
    schedules.append(factors("constant_with_warmup", warmup, 20, 24))
    schedules.append(factors("linear", warmup, 20, 24))
    schedules.append(factors("cosine_with_min_lr", warmup, 20, 21, min_lr_rate=0.0))
    schedules.append(factors("cosine_with_min_lr", warmup, 20, 21, min_lr_rate=0.25))
    schedules.append(factors("cosine_with_restarts", warmup, 20, 24, num_cycles=3))
    schedules.append(factors("polynomial", warmup, 20, 24, power=2.0, lr_end=0.1))
with open(os.path.join(here, "schedules.json"), "w") as file:
    json.dump({"parameters": {}, "schedules": schedules}, file)
