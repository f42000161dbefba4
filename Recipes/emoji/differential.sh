#!/bin/bash
# A LoRA of a difference. One LoRA learns 20 pictures by heart, a second learns beside it what the same
# pictures have in grey: that they are grey, and nothing else.
. "$(dirname "$0")/common.sh"
. "$recipe/styled.sh"
lora colour --dataset_base_path "$data" --dataset_metadata_path "$data/colour.jsonl"
lora differential --dataset_base_path "$data" --dataset_metadata_path "$data/grey.jsonl" \
  --preset_lora_path "$(checkpoint colour)" --preset_lora_model dit
compare differential "" "$(checkpoint differential)"
