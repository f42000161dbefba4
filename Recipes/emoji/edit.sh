#!/bin/bash
# Editing: "make it blue", beside a picture. The base model knows no references; whole weights learn it.
. "$(dirname "$0")/common.sh"
[ -e "$WORK/base" ] || bash "$recipe/base.sh"
train edit --model "$WORK/base" --dataset_base_path "$data" \
  --dataset_metadata_path "$data/edits.jsonl" --data_file_keys image,edit_image \
  --extra_inputs edit_image,edit_image_auto_resize --height 128 --width 128 \
  --batch_size "$(by_size 24 8)" --keep_encoded 1 \
  --trainable_models dit,text_encoder --exact_loss \
  --learning_rate 5e-4 --lr_scheduler cosine --lr_warmup_steps "$(by_size 50 2)" \
  --max_grad_norm 1 --master_weights fp32 --ema_decay 0.99 \
  --num_epochs "$(by_size 15 1)" --save_steps 1000
assemble "$WORK/base" edit "$WORK/edit-model"
for side in base edit-model; do
  evaluate "edit-$side" --model "$WORK/$side" --rows "$data/edits-held.jsonl" \
    --among "$data/names.jsonl" --limit "$(by_size 200 8)"
done
