#!/bin/bash
# The style again, beside a transformer in 8-bit floats.
. "$(dirname "$0")/common.sh"
. "$recipe/styled.sh"
lora fp8 --model_paths "[\"$WORK/base/transformer\"]" --fp8_models "$WORK/base/transformer" \
  --dataset_base_path "$data" --dataset_metadata_path "$data/pixels.jsonl"
compare fp8 "pixel art " "$(checkpoint fp8)"
