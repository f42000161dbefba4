#!/bin/bash
# A LoRA of a style from 20 pictures: pixel art. Before and after from the same seeds.
. "$(dirname "$0")/common.sh"
. "$recipe/styled.sh"
lora style --dataset_base_path "$data" --dataset_metadata_path "$data/pixels.jsonl"
compare style "pixel art " "$(checkpoint style)"
