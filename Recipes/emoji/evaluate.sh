#!/bin/bash
# evaluate.sh MODEL NAME ARGUMENTS: figures of a model on names and on combinations never trained.
. "$(dirname "$0")/common.sh"
model=$1 name=$2
shift 2
"$flux2" evaluate --model "$model" --rows "$data/evaluate.jsonl" --among "$data/names.jsonl" \
  --seed 1 --output "$WORK/evaluate-$name" $(by_size "" "--limit 4") "$@" \
  | tee "$WORK/evaluate-$name.txt"
