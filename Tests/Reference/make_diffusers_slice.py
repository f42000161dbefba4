"""Makes models/diffusers-klein-test and goldens/slice from diffusers' own test configuration.

    pip install torch==2.13.0 diffusers==0.42.1 transformers==5.10.2 safetensors
    python3 make_diffusers_slice.py

The components are those that diffusers' fast test of its klein pipeline builds with seed 0. Its
tokenizer is on the hub only and its vocabulary has 152,000 rows, so the text features are drawn
instead of encoded; everything behind them is the test's: two steps, guidance 4, 8x8 pixels.
"""
import json
import os
import sys

import torch
from diffusers import (
    AutoencoderKLFlux2,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
)
from safetensors.torch import save_file

here = os.path.dirname(os.path.abspath(__file__))
model = os.path.join(here, "models", "diffusers-klein-test")

torch.manual_seed(0)
transformer = Flux2Transformer2DModel(
    patch_size=1, in_channels=4, num_layers=1, num_single_layers=1, attention_head_dim=16,
    num_attention_heads=2, joint_attention_dim=16, timestep_guidance_channels=256,
    axes_dims_rope=[4, 4, 4, 4], guidance_embeds=False)
torch.manual_seed(0)
vae = AutoencoderKLFlux2(
    sample_size=32, in_channels=3, out_channels=3, down_block_types=("DownEncoderBlock2D",),
    up_block_types=("UpDecoderBlock2D",), block_out_channels=(4,), layers_per_block=1,
    latent_channels=1, norm_num_groups=1, use_quant_conv=False, use_post_quant_conv=False)
transformer.save_pretrained(os.path.join(model, "transformer"))
vae.save_pretrained(os.path.join(model, "vae"))

pipe = Flux2KleinPipeline(
    scheduler=FlowMatchEulerDiscreteScheduler(), vae=vae, text_encoder=None, tokenizer=None,
    transformer=transformer)
texts = torch.randn(2, 64, 16, generator=torch.Generator().manual_seed(1)) * 0.02
noise = {}
draw = pipe.prepare_latents


def remember(*arguments, **named):
    latents, ids = draw(*arguments, **named)
    noise["latents"] = latents.clone()
    return latents, ids


pipe.prepare_latents = remember
image = pipe(
    prompt_embeds=texts[:1], negative_prompt_embeds=texts[1:], num_inference_steps=2,
    guidance_scale=4.0, height=8, width=8, output_type="np",
    generator=torch.Generator().manual_seed(0)).images
sigmas = pipe.scheduler.sigmas
folder = os.path.join(here, "goldens", "slice")
os.makedirs(folder, exist_ok=True)
save_file(
    {"in.text": texts, "in.noise": noise["latents"].contiguous(), "in.sigmas": sigmas.float(),
     "out.slice": torch.from_numpy(image[0, -3:, -3:, -1].copy())},
    os.path.join(folder, "klein_test_f32.safetensors"))
with open(os.path.join(folder, "klein_test_f32.json"), "w") as file:
    json.dump({"parameters": {"dtype": "f32", "guidance": 4.0, "model": "diffusers-klein-test"}}, file)
print(image[0, -3:, -3:, -1], sigmas, sys.version.split()[0])
