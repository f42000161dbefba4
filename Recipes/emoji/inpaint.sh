#!/bin/bash
# Painting a part anew: two cats, of which the right one becomes a dog. Outside of the mask every pixel's
# latents stay.
. "$(dirname "$0")/common.sh"
[ -e "$WORK/base" ] || bash "$recipe/base.sh"
mkdir -p "$WORK/inpaint"
"$flux2" generate "two cats" --model "$WORK/base" --seed 3 --output "$WORK/inpaint/before.png" --force
"$tool" mask --output "$WORK/inpaint/mask.png"
"$flux2" generate "cat and dog" --model "$WORK/base" --seed 4 --force \
  --input-image "$WORK/inpaint/before.png" --inpaint-mask "$WORK/inpaint/mask.png" \
  --output "$WORK/inpaint/after.png"
"$tool" compare "$WORK/inpaint/before.png" "$WORK/inpaint/after.png" \
  --mask "$WORK/inpaint/mask.png" | tee "$WORK/inpaint.txt"
