#!/bin/bash
# Draws pictures from the font, writes captions, learns the vocabulary, and draws random weights.
. "$(dirname "$0")/common.sh"
"$tool" data --names "$recipe/names.txt" --new-names "$recipe/new-names.txt" --output "$data" \
  $(by_size "" "--count 24")
# Another version of the font would draw other combinations, and train some of those that are listed.
if [ -z "$SHORT" ]; then
  cmp "$data/heldout.txt" "$recipe/heldout.txt" \
    || { echo "the combinations held out are not those of heldout.txt" >&2; exit 1; }
fi
mkdir -p "$WORK/untrained"
cp -r "$recipe/model/." "$WORK/untrained/"
"$tool" tokens --captions "$data/train.jsonl" --captions "$data/evaluate.jsonl" \
  --captions "$data/new.jsonl" --captions "$data/edits.jsonl" --captions "$data/pixels.jsonl" \
  --output "$WORK/untrained/tokenizer"
"$flux2" train new "$WORK/untrained" --seed 0 --force
