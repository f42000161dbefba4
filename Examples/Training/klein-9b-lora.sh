#!/usr/bin/env bash
# Trains a LoRA for FLUX.2-klein-9B; klein-9b-validate-lora makes a picture with it.
# Arguments given to this script come last, and count.
set -euo pipefail

"${FLUX2:-flux2}" download --dataset DiffSynth-Studio/diffsynth_example_dataset \
  --include "flux2/FLUX.2-klein-9B/*" --local-dir data/diffsynth_example_dataset
"${FLUX2:-flux2}" train \
  --dataset_base_path data/diffsynth_example_dataset/flux2/FLUX.2-klein-9B \
  --dataset_metadata_path data/diffsynth_example_dataset/flux2/FLUX.2-klein-9B/metadata.csv \
  --max_pixels 1048576 \
  --dataset_repeat 50 \
  --model_id_with_origin_paths "black-forest-labs/FLUX.2-klein-9B:text_encoder/*.safetensors,black-forest-labs/FLUX.2-klein-9B:transformer/*.safetensors,black-forest-labs/FLUX.2-klein-9B:vae/diffusion_pytorch_model.safetensors" \
  --tokenizer_path black-forest-labs/FLUX.2-klein-9B:tokenizer/ \
  --learning_rate 1e-4 \
  --num_epochs 5 \
  --remove_prefix_in_ckpt pipe.dit. \
  --output_path ./models/train/FLUX.2-klein-9B_lora \
  --lora_base_model dit \
  --lora_target_modules "to_q,to_k,to_v,to_out.0,add_q_proj,add_k_proj,add_v_proj,to_add_out,linear_in,linear_out,to_qkv_mlp_proj,single_transformer_blocks.0.attn.to_out,single_transformer_blocks.1.attn.to_out,single_transformer_blocks.2.attn.to_out,single_transformer_blocks.3.attn.to_out,single_transformer_blocks.4.attn.to_out,single_transformer_blocks.5.attn.to_out,single_transformer_blocks.6.attn.to_out,single_transformer_blocks.7.attn.to_out,single_transformer_blocks.8.attn.to_out,single_transformer_blocks.9.attn.to_out,single_transformer_blocks.10.attn.to_out,single_transformer_blocks.11.attn.to_out,single_transformer_blocks.12.attn.to_out,single_transformer_blocks.13.attn.to_out,single_transformer_blocks.14.attn.to_out,single_transformer_blocks.15.attn.to_out,single_transformer_blocks.16.attn.to_out,single_transformer_blocks.17.attn.to_out,single_transformer_blocks.18.attn.to_out,single_transformer_blocks.19.attn.to_out,single_transformer_blocks.20.attn.to_out,single_transformer_blocks.21.attn.to_out,single_transformer_blocks.22.attn.to_out,single_transformer_blocks.23.attn.to_out" \
  --lora_rank 32 \
  --use_gradient_checkpointing \
  "$@"
