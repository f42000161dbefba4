#!/bin/bash
# Full fine-tuning: 16 characters that the base model never saw, beside those it knows.
. "$(dirname "$0")/common.sh"
[ -e "$WORK/base" ] || bash "$recipe/base.sh"
# New ones often, so that both are in about equal parts.
{
  for _ in $(seq 1 "$(by_size 21 2)"); do cat "$data/new.jsonl"; done
  cat "$data/names.jsonl"
} > "$data/full.jsonl"
train full --model "$WORK/base" --dataset_base_path "$data" \
  --dataset_metadata_path "$data/full.jsonl" --height 128 --width 128 \
  --batch_size 24 --keep_encoded 1 --trainable_models dit,text_encoder --exact_loss \
  --learning_rate 3e-4 --lr_scheduler cosine --lr_warmup_steps "$(by_size 50 2)" \
  --max_grad_norm 1 --master_weights fp32 --ema_decay 0.99 \
  --num_epochs "$(by_size 30 20)" --save_steps 1000
assemble "$WORK/base" full "$WORK/full-model"
cat "$data/names.jsonl" "$data/new.jsonl" > "$data/full-names.jsonl"
for side in base full-model; do
  evaluate "new-$side" --model "$WORK/$side" --rows "$data/new.jsonl" \
    --among "$data/full-names.jsonl"
done
bash "$recipe/evaluate.sh" "$WORK/full-model" full
