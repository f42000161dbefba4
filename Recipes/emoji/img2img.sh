#!/bin/bash
# From a picture instead of noise alone: an apple becomes other things that have its shape and colour,
# the more the larger the strength.
. "$(dirname "$0")/common.sh"
[ -e "$WORK/base" ] || bash "$recipe/base.sh"
mkdir -p "$WORK/img2img"
"$flux2" generate apple --model "$WORK/base" --seed 3 --output "$WORK/img2img/apple.png" --force
for strength in 0.5 0.7 0.85 1; do
  "$flux2" generate "green apple" --model "$WORK/base" --seed 3 --force \
    --input-image "$WORK/img2img/apple.png" --denoising-strength $strength \
    --output "$WORK/img2img/green-$strength.png"
done
