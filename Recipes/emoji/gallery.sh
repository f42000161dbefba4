#!/bin/bash
# Puts the stages' pictures together for docs/gallery.md.
. "$(dirname "$0")/common.sh"
to=$root/docs/gallery
mkdir -p "$to"
sheet() { "$tool" sheet --output "$to/$1.jpg" --columns "$2" "${@:3}"; }

# The loss of a training, as its report draws it.
curve() {
  awk '/<svg/ { shown = 1; sub(/^.*<svg/, "<svg") } shown { print } /<\/svg>/ { exit }' \
    "$WORK/$1/report.html" | sed 's:</svg>.*:</svg>:' > "$to/$1-loss.svg"
}
for report in "$WORK"/base-*/report.html; do curve "$(basename "$(dirname "$report")")"; done

# Names and held-out combinations, each beside what was expected: some at even distances.
evaluated() {
  local rows=$1 from=$2 count=$3 step=$4 files=()
  for number in $(seq "$from" "$step" $((from + step * (count - 1)))); do
    files+=("$WORK/evaluate-$rows/pictures/$number.png")
    files+=("$data/$(sed -n "${number}p" "$data/evaluate.jsonl" | sed 's/.*"image":"\([^"]*\)".*/\1/')")
  done
  printf '%s\n' "${files[@]}"
}
mapfile -t files < <(evaluated base 3 24 13)
sheet names 12 "${files[@]}"
mapfile -t files < <(evaluated base 336 24 11)
sheet heldout 12 "${files[@]}"
files=()
for model in base teacher-4-plain teacher-4 distilled; do
  for number in 5 40 75 110 145 180 215 250 285 320; do
    files+=("$WORK/evaluate-$model/pictures/$number.png")
  done
done
sheet distilled 10 "${files[@]}"
for name in style split fp8 differential; do
  sheet "$name" 8 "$WORK/$name-before"/picture-[0-9]*.png "$WORK/$name-after"/picture-[0-9]*.png
done
files=()
for side in base full-model; do
  for number in $(seq 1 16); do files+=("$WORK/evaluate-new-$side/pictures/$number.png"); done
done
sheet full 16 "${files[@]}"
files=()
for number in $(seq 1 17 200); do
  row=$(sed -n "${number}p" "$data/edits-held.jsonl")
  files+=("$data/$(sed 's/.*"edit_image":"\([^"]*\)".*/\1/' <<< "$row")")
  files+=("$WORK/evaluate-edit-edit-model/pictures/$number.png")
done
sheet edit 8 "${files[@]}"
sheet img2img 5 "$WORK/img2img/apple.png" "$WORK/img2img"/green-*.png
sheet inpaint 3 "$WORK/inpaint/before.png" "$WORK/inpaint/mask.png" "$WORK/inpaint/after.png"
