#!/bin/bash
# Trains transformer and text encoder together, in two cycles, at whose end the rate has fallen to
# nothing. The first learns names and what may change about them; the second goes on from its averages
# with further combinations.
#
#   BATCH=48 EPOCHS=45       of the first cycle; with a GPU, larger ones
. "$(dirname "$0")/common.sh"
[ -e "$WORK/encoded" ] || env -u BATCH -u EPOCHS bash "$recipe/vae.sh"

# cycle NAME MODEL ROWS ARGUMENTS
cycle() {
  train "$1" --model "$2" --dataset_base_path "$data" --dataset_metadata_path "$data/$3.jsonl" \
    --height 128 --width 128 --keep_encoded 1 --dataset_num_workers "$workers" \
    --trainable_models dit,text_encoder --exact_loss \
    --optimizer muon --lr_scheduler cosine --max_grad_norm 1 --master_weights fp32 \
    --ema_decay 0.999 --save_steps "$(by_size 1000 100)" "${@:4}"
  assemble "$2" "$1" "$WORK/$1-model"
  bash "$recipe/evaluate.sh" "$WORK/$1-model" "$1"
}

cycle base-1 "$WORK/encoded" train --learning_rate 3e-3 --lr_warmup_steps "$(by_size 300 10)" \
  --batch_size "${BATCH:-$(by_size 48 16)}" --num_epochs "${EPOCHS:-$(by_size 45 8)}"
cycle base-2 "$WORK/base-1-model" further --learning_rate 1e-3 \
  --lr_warmup_steps "$(by_size 100 2)" --batch_size "$(by_size 48 16)" \
  --num_epochs "$(by_size 13 1)"
rm -f "$WORK/base" "$WORK/evaluate-base"
ln -s base-2-model "$WORK/base"
ln -s evaluate-base-2 "$WORK/evaluate-base"
