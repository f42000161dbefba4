# What the stages share. Sourced by them; every stage may be run by itself, in any folder.
#
#   WORK=FOLDER    where data, checkpoints and pictures go (emoji-work)
#   SHORT=1        a few steps on a few emoji, to see that every stage runs
#   STOP=110m      ends a training after that time; the same command goes on with it
set -euo pipefail
recipe=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$recipe/../.." && pwd)
flux2=${FLUX2:-$root/.build/release/flux2}
tool=${EMOJI_RECIPE:-$root/.build/release/emoji-recipe}
WORK=${WORK:-emoji-work}
SHORT=${SHORT:-}
data=$WORK/data
mkdir -p "$WORK"

# The first of two values, or the second where SHORT is set.
by_size() { if [ -z "$SHORT" ]; then echo "$1"; else echo "$2"; fi; }

# train NAME ARGUMENTS: a training in $WORK/NAME, begun, continued, or found to be done.
train() {
  local name=$1
  shift
  local output=$WORK/$name
  if [ -e "$output/done" ]; then
    echo "$name: is done ($output)"
    return
  fi
  local more=()
  [ -e "$output/training_state.safetensors" ] && more+=(--resume)
  [ -n "${STOP:-}" ] && more+=(--stop_after "$STOP")
  "$flux2" train "$@" --output_path "$output" --seed 1 --report --enable_json_log "${more[@]}" \
    | tee "$WORK/$name.txt"
  if grep -q "^stopped" "$WORK/$name.txt"; then
    echo "$name: not done yet; the same command goes on"
    exit 0
  fi
  touch "$output/done"
}

# The newest checkpoint of a training.
checkpoint() {
  local newest
  newest=$(ls -t "$WORK/$1"/*-*.safetensors | head -1)
  echo "$newest"
}

# pictures FOLDER PROMPTS ARGUMENTS: one picture of each line of a file, and a sheet of them.
pictures() {
  local folder=$1 prompts=$2
  shift 2
  mkdir -p "$folder"
  "$flux2" generate --prompt-file "$prompts" --output "$folder/picture.png" --grid --force \
    --seed 7 "$@"
}

# Data, the tokenizer and the untrained model are made when they are first needed.
[ -e "$WORK/untrained/vae/diffusion_pytorch_model.safetensors" ] || [ "${0##*/}" = data.sh ] \
  || bash "$recipe/data.sh"
