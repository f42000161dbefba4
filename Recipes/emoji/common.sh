# What the stages share. Sourced by them; every stage may be run by itself, in any folder.
#
#   WORK=FOLDER    where data, checkpoints and pictures go (emoji-work, or emoji-work-short)
#   SHORT=1        a few steps on a few emoji, to see that every stage runs
#   WORKERS=1      pictures that are read at once; a GPU needs more
#   STOP=110m      ends a training after that time, with status 75; the same command goes on with it
set -euo pipefail
recipe=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$recipe/../.." && pwd)
flux2=${FLUX2:-$root/.build/release/flux2}
tool=${EMOJI_RECIPE:-$root/.build/release/emoji-recipe}
SHORT=${SHORT:-}
WORK=${WORK:-emoji-work${SHORT:+-short}}
data=$WORK/data
workers=${WORKERS:-1}
mkdir -p "$WORK"
size=$([ -z "$SHORT" ] && echo whole || echo short)
if [ "$(cat "$WORK/size" 2> /dev/null || echo "$size")" != "$size" ]; then
  echo "$WORK holds the other size of the recipe; name another WORK" >&2
  exit 1
fi
echo "$size" > "$WORK/size"

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
  # What was ended before its first state begins anew.
  [ -e "$output/training_state.safetensors" ] && more+=(--resume) || more+=(--force)
  [ -n "${STOP:-}" ] && more+=(--stop_after "$STOP")
  "$flux2" train "$@" --output_path "$output" --seed 1 --report --enable_json_log "${more[@]}" \
    | tee "$WORK/$name.txt"
  if grep -q "^stopped" "$WORK/$name.txt"; then
    echo "$name: not done yet; the same command goes on"
    exit 75
  fi
  touch "$output/done"
}

# assemble BASE NAME MODEL ARGUMENTS: a model's folder with the last checkpoint of a training, once.
assemble() {
  local base=$1 name=$2 model=$3
  shift 3
  [ -e "$model" ] || "$flux2" assemble "$base" --checkpoint "$(checkpoint "$name")" \
    --output "$model" "$@"
}

# evaluate NAME ARGUMENTS: figures in $WORK/evaluate-NAME, once.
evaluate() {
  local name=$1
  shift
  [ -e "$WORK/evaluate-$name/report.json" ] \
    || "$flux2" evaluate --seed 1 --output "$WORK/evaluate-$name" --force "$@" \
      > "$WORK/evaluate-$name.txt"
  echo "$name:"
  cat "$WORK/evaluate-$name.txt"
}

# The last checkpoint of a training.
checkpoint() {
  local last
  last=$(ls -v "$WORK/$1"/*-*.safetensors | tail -1)
  [ -n "$last" ] || { echo "$WORK/$1 holds no checkpoint" >&2; return 1; }
  echo "$last"
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
