#!/usr/bin/env bash
# Trains all weights of FLUX.2-klein-9B to edit pictures: each row has one and those that it refers to.
# What is trained goes to a folder of its own; klein-9b-validate-full takes it as an argument.
# Eight processes, one GPU each; optimizer state and gradients are spread over them.
# Arguments given to this script come last, and count.
set -euo pipefail

"${FLUX2:-flux2}" download --dataset DiffSynth-Studio/diffsynth_example_dataset \
  --include "qwen_image/Qwen-Image-Edit-2511/*" --local-dir data/diffsynth_example_dataset
"${FLUX2:-flux2}" launch --processes "${PROCESSES:-8}" -- train \
  --dataset_base_path data/diffsynth_example_dataset/qwen_image/Qwen-Image-Edit-2511 \
  --dataset_metadata_path data/diffsynth_example_dataset/qwen_image/Qwen-Image-Edit-2511/metadata.json \
  --data_file_keys image,edit_image \
  --extra_inputs edit_image \
  --max_pixels 1048576 \
  --dataset_repeat 50 \
  --model_id_with_origin_paths "black-forest-labs/FLUX.2-klein-9B:text_encoder/*.safetensors,black-forest-labs/FLUX.2-klein-9B:transformer/*.safetensors,black-forest-labs/FLUX.2-klein-9B:vae/diffusion_pytorch_model.safetensors" \
  --tokenizer_path black-forest-labs/FLUX.2-klein-9B:tokenizer/ \
  --learning_rate 1e-5 \
  --num_epochs 2 \
  --remove_prefix_in_ckpt pipe.dit. \
  --output_path ./models/train/FLUX.2-klein-9B_full_edit \
  --trainable_models dit \
  --use_gradient_checkpointing \
  --zero 2 \
  "$@"
