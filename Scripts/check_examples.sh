#!/usr/bin/env bash
# Builds the programs in Examples and runs each on a tiny model in place of the published one: a picture, and
# the same edited. Trains by the scripts in Examples/Training for two steps, on data from a hub on this machine,
# and looks at what comes of it.
set -euo pipefail
cd "$(dirname "$0")/.."

repository=$PWD
swift build -c release --product flux2
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
  for picture in "$name.png" "$name-edit.png"; do
    test -s "$picture" || { echo "$name made no $picture"; exit 1; }
  done
  if cmp -s "$name.png" "$name-edit.png"; then echo "$name edited nothing"; exit 1; fi
  echo "$name: $(tail -1 "$name.log"), $(grep -c '^step' "$name.log") steps"
done

# Two pictures with captions in place of the published data sets, and two edits of each other.
inputs="$repository/Tests/Reference/inputs"
published="$work/hub/datasets/DiffSynth-Studio/diffsynth_example_dataset"
for name in klein-4B klein-9B klein-base-4B klein-base-9B dev; do
  data="$published/flux2/FLUX.2-$name"
  mkdir -p "$data"
  cp "$inputs"/{landscape,square}.png "$data"
  printf 'image,prompt\nlandscape.png,"a dog"\nsquare.png,"a dog, too"\n' > "$data/metadata.csv"
done
data="$published/qwen_image/Qwen-Image-Edit-2511"
mkdir -p "$data"
cp "$inputs"/{landscape,square}.png "$data"
cat > "$data/metadata.json" <<'EOF'
[{"image": "landscape.png", "edit_image": "square.png", "prompt": "wider"},
 {"image": "square.png", "edit_image": ["landscape.png", "square.png"], "prompt": "both"}]
EOF

# The hub of the tests, with a certificate of its own; it ends when this script does.
key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2)
openssl req -x509 -keyout authority.key -out authority.pem "${key[@]}" -subj "/CN=authority of a test" 2> openssl.log
openssl req -x509 -keyout server.key -out server.pem "${key[@]}" -subj "/CN=localhost" \
  -CA authority.pem -CAkey authority.key -addext "subjectAltName=DNS:localhost" \
  -addext "basicConstraints=critical,CA:FALSE" 2> openssl.log
coproc HUB { python3 "$repository/Tests/TestSupport/hub_server.py" hub server.pem server.key hub.log; }
read -r port _ <&"${HUB[0]}"

export FLUX2="$repository/.build/release/flux2" PROCESSES=2
scripts=({klein-4b,klein-9b,klein-base-4b,klein-base-9b}-{full,lora}{,-edit} dev-lora klein-base-4b-lora-split)
for name in "${scripts[@]}"; do
  # Two of them train into a folder of the same name.
  mkdir -p "$work/runs/$name"
  cd "$work/runs/$name"
  DIFFSYNTH_MODEL_BASE_PATH="$work" MODELSCOPE_ENDPOINT="https://localhost:$port" \
    SSL_CERT_FILE="$work/authority.pem" \
    "$repository/Examples/Training/$name.sh" --max_pixels 4096 --dataset_repeat 1 --num_epochs 1 --quiet \
    > log || { cat log; exit 1; }
  echo "$name: $(tail -1 log)"
done
cd "$work"
for name in klein-4b klein-9b klein-base-4b klein-base-9b dev; do
  for kind in full lora; do
    program="$programs/$name-validate-$kind"
    test -x "$program" || continue
    checkpoint=runs/$name-$kind/$(tail -1 "runs/$name-$kind/log" | sed 's/.* //')
    DIFFSYNTH_MODEL_BASE_PATH="$work" DIFFSYNTH_SKIP_DOWNLOAD=true "$program" "$checkpoint" 64 \
      > "$name-validate.log" || { cat "$name-validate.log"; exit 1; }
    echo "$name-validate-$kind: $(tail -1 "$name-validate.log")"
  done
done
