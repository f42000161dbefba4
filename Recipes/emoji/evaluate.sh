#!/bin/bash
# evaluate.sh MODEL NAME ARGUMENTS: figures of a model on names and on combinations never trained.
. "$(dirname "$0")/common.sh"
evaluate "$2" --model "$1" --rows "$data/evaluate.jsonl" --among "$data/names.jsonl" \
  $(by_size "" "--limit 4") "${@:3}"
