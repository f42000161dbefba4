#!/usr/bin/env bash
# Builds the programs in Examples and runs each on a tiny model in place of the published one.
set -euo pipefail
cd "$(dirname "$0")/.."

swift build --package-path Examples --scratch-path .build/examples
programs=$(swift build --package-path Examples --scratch-path .build/examples --show-bin-path)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/black-forest-labs"
for name in klein-4B klein-9B klein-base-4B klein-base-9B; do
  ln -s "$PWD/Tests/Reference/models/tiny-klein" "$work/black-forest-labs/FLUX.2-$name"
done
ln -s "$PWD/Tests/Reference/models/tiny-dev" "$work/black-forest-labs/FLUX.2-dev"

cd "$work"
for name in {klein-4b,klein-9b,klein-base-4b,klein-base-9b,dev}{,-low-vram}; do
  FLUX2_WEIGHT_CACHE="$work/weights" DIFFSYNTH_MODEL_BASE_PATH="$work" DIFFSYNTH_SKIP_DOWNLOAD=true \
    "$programs/$name" "a red fox" 64 > "$name.log" || { cat "$name.log"; exit 1; }
  test -s "$name.png" || { echo "$name made no picture"; exit 1; }
  echo "$name: $(tail -1 "$name.log"), $(grep -c '^step' "$name.log") steps"
done
