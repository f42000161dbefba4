#!/usr/bin/env bash
# Trains all weights of FLUX.2-klein-base-4B; klein-base-4b-validate-full makes a picture with the result.
# Arguments given to this script come last, and count.
set -euo pipefail

"${FLUX2:-flux2}" download --dataset DiffSynth-Studio/diffsynth_example_dataset \
  --include "flux2/FLUX.2-klein-base-4B/*" --local-dir data/diffsynth_example_dataset
"${FLUX2:-flux2}" train \
  --dataset_base_path data/diffsynth_example_dataset/flux2/FLUX.2-klein-base-4B \
  --dataset_metadata_path data/diffsynth_example_dataset/flux2/FLUX.2-klein-base-4B/metadata.csv \
  --max_pixels 1048576 \
  --dataset_repeat 50 \
  --model_id_with_origin_paths "black-forest-labs/FLUX.2-klein-4B:text_encoder/*.safetensors,black-forest-labs/FLUX.2-klein-base-4B:transformer/*.safetensors,black-forest-labs/FLUX.2-klein-4B:vae/diffusion_pytorch_model.safetensors" \
  --tokenizer_path black-forest-labs/FLUX.2-klein-4B:tokenizer/ \
  --learning_rate 1e-5 \
  --num_epochs 2 \
  --remove_prefix_in_ckpt pipe.dit. \
  --output_path ./models/train/FLUX.2-klein-base-4B_full \
  --trainable_models dit \
  --use_gradient_checkpointing \
  "$@"
