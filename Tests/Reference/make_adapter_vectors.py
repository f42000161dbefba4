"""Makes inputs/adapters and goldens/adapters: kinds of weight changes, written by their own packages.

    pip install torch==2.13.0 safetensors==0.8 peft==0.21.2 lycoris-lora==4
    python3 make_adapter_vectors.py

Every file changes modules of models/tiny-klein's transformer. The golden of the same name holds the
changed weights, in float32, under the modules' canonical names.
"""
import json
import os
import sys

import torch
from safetensors.torch import load_file, save_file

here = os.path.dirname(os.path.abspath(__file__))
weights = {
    name: value.float() for name, value in load_file(
        os.path.join(here, "models/tiny-klein/transformer/diffusion_pytorch_model.safetensors")).items()}
QUERY = "transformer_blocks.0.attn.to_q"
FUSED = "single_transformer_blocks.1.attn.to_qkv_mlp_proj"
PARTS = [f"transformer_blocks.1.attn.to_{part}" for part in "qkv"]


def save(name, tensors, expected, metadata=None):
    for folder, content in (("inputs", tensors), ("goldens", expected)):
        path = os.path.join(here, folder, "adapters")
        os.makedirs(path, exist_ok=True)
        content = {key: value.detach().contiguous().clone() for key, value in content.items()}
        save_file(content, os.path.join(path, name + ".safetensors"),
                  metadata=metadata if folder == "inputs" else None)
    with open(os.path.join(here, "goldens/adapters", name + ".json"), "w") as file:
        json.dump({"parameters": {"dtype": "f32", "file": f"inputs/adapters/{name}.safetensors"}}, file)
    print(name, len(tensors), "tensors")


def linear(weight):
    layer = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    layer.weight.data = weight.clone()
    return layer


def randomised(module):
    for parameter in module.parameters():
        if parameter.requires_grad and parameter.ndim == 2 and not (parameter.numel() in parameter.shape):
            torch.nn.init.normal_(parameter, std=0.2)
    return module


def lycoris(name, kind, spell, modules, **settings):
    from lycoris.modules import loha, locon, lokr

    kinds = {"loha": loha.LohaModule, "lokr": lokr.LokrModule, "locon": locon.LoConModule}
    tensors, expected = {}, {}
    for module, weight in modules.items():
        torch.manual_seed(len(module))
        adapter = randomised(kinds[kind]("x", linear(weight), **settings))
        if settings.get("weight_decompose"):
            adapter.dora_scale.data *= 1 + 0.3 * torch.rand_like(adapter.dora_scale)
        delta = (adapter.make_weight() * adapter.scale if kind == "locon"
                 else adapter.get_weight(weight.shape))
        changed = weight + delta
        if settings.get("weight_decompose"):
            changed = adapter.apply_weight_decompose(changed)
        for key, value in adapter.custom_state_dict().items():
            tensors[f"{spell(module)}.{key}"] = torch.as_tensor(value)
        expected[module] = changed
    return name, tensors, expected


def underscored(module):
    return "lycoris_" + module.replace(".", "_")


both = {QUERY: weights[QUERY + ".weight"], FUSED: weights[FUSED + ".weight"]}
save(*lycoris("loha", "loha", underscored, both, lora_dim=3, alpha=2))
save(*lycoris("lokr", "lokr", underscored, both, lora_dim=2, alpha=1, factor=4))
save(*lycoris("lokr_full", "lokr", underscored, both, lora_dim=100000, alpha=1, factor=8, full_matrix=True))
save(*lycoris("lokr_factored", "lokr", underscored, both, lora_dim=2, alpha=3, factor=16, decompose_both=True))
save(*lycoris("dora_rows", "locon", lambda m: "lora_unet_" + m.replace(".", "_"), both, lora_dim=4,
              alpha=2, weight_decompose=True))
save(*lycoris("dora_columns", "locon", underscored, both, lora_dim=4, alpha=4, weight_decompose=True,
              wd_on_out=False))
# One module for three projections, as Black Forest Labs name them.
for kind, settings in (("loha", dict(lora_dim=3, alpha=3)), ("lokr", dict(lora_dim=2, alpha=2, factor=8))):
    joined = torch.cat([weights[part + ".weight"] for part in PARTS])
    name, tensors, expected = lycoris(
        kind + "_fused", kind, lambda m: "lycoris_double_blocks_1_img_attn_qkv", {PARTS[0]: joined}, **settings)
    save(name, tensors, dict(zip(PARTS, expected[PARTS[0]].chunk(3))))


def peft(name, modules, **settings):
    from peft import LoraConfig, get_peft_model, get_peft_model_state_dict

    torch.manual_seed(5)
    root = torch.nn.Module()
    for module, weight in modules.items():
        place = root
        *path, last = module.split(".")
        for step in path:
            if not hasattr(place, step):
                place.add_module(step, torch.nn.Module())
            place = getattr(place, step)
        place.add_module(last, linear(weight))
    model = get_peft_model(root, LoraConfig(target_modules=list(modules), **settings))
    for key, parameter in model.named_parameters():
        if "lora_" in key:
            parameter.data = (
                parameter.data * (1 + 0.2 * torch.rand_like(parameter)) if "magnitude" in key
                else 0.2 * torch.randn_like(parameter))
    tensors = get_peft_model_state_dict(model)
    merged = model.merge_and_unload()
    expected = {module: merged.get_submodule(module).weight for module in modules}
    return name, tensors, expected


save(*peft("peft_dora", both, r=4, lora_alpha=4, use_dora=True))
name, tensors, expected = peft("diffusers_metadata", both, r=4, lora_alpha=10, use_rslora=True,
                               rank_pattern={QUERY: 2}, alpha_pattern={QUERY: 3})
note = {"transformer.r": 4, "transformer.lora_alpha": 10, "transformer.use_rslora": True,
        "transformer.rank_pattern": {QUERY: 2}, "transformer.alpha_pattern": {QUERY: 3}}
save(name, {key.replace("base_model.model.", "transformer."): value for key, value in tensors.items()},
     expected, {"lora_adapter_metadata": json.dumps(note)})
print(sys.version.split()[0])
