#!/bin/bash
# The style again, in two stages: first all pictures and captions are encoded, then the LoRA is trained
# without autoencoder and text encoder.
. "$(dirname "$0")/common.sh"
. "$recipe/styled.sh"
train split-encoded --task sft:data_process --model "$WORK/base" --height 128 --width 128 \
  --dataset_base_path "$data" --dataset_metadata_path "$data/pixels.jsonl"
lora split --task sft:train --dataset_base_path "$WORK/split-encoded"
compare split "pixel art " "$(checkpoint split)"
