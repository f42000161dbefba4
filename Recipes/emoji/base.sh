#!/bin/bash
# Trains transformer and text encoder together, in cycles: each starts from the averages that the one
# before has ended with, and lets the rate fall to nothing once more.
#
#   CYCLES=2       how many
. "$(dirname "$0")/common.sh"
[ -e "$WORK/encoded" ] || bash "$recipe/vae.sh"
start=$WORK/encoded
for cycle in $(seq 1 "${CYCLES:-$(by_size 2 1)}"); do
  train "base-$cycle" --model "$start" \
    --dataset_base_path "$data" --dataset_metadata_path "$data/train.jsonl" \
    --height 128 --width 128 --batch_size "$(by_size 48 16)" --keep_encoded 1 \
    --trainable_models dit,text_encoder --exact_loss \
    --learning_rate 1e-3 --lr_scheduler cosine --lr_warmup_steps "$(by_size 300 10)" \
    --max_grad_norm 1 --master_weights fp32 --ema_decay 0.999 \
    --num_epochs "$(by_size 45 8)" --save_steps "$(by_size 1000 100)"
  assemble "$start" "base-$cycle" "$WORK/base-$cycle-model"
  start=$WORK/base-$cycle-model
done
rm -f "$WORK/base"
ln -s "$(basename "$start")" "$WORK/base"
bash "$recipe/evaluate.sh" "$start" "base-$cycle"
rm -f "$WORK/evaluate-base"
ln -s "evaluate-base-$cycle" "$WORK/evaluate-base"
