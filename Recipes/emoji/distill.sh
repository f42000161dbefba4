#!/bin/bash
# The teacher's pictures of 30 steps with guidance, and a student that makes them in 4 steps without.
. "$(dirname "$0")/common.sh"
[ -e "$WORK/base" ] || bash "$recipe/base.sh"
mkdir -p "$WORK/teacher"
# Prompts of the training data, each once; seeds differ.
if [ ! -e "$WORK/teacher/distill.jsonl" ]; then
  "$tool" prompts "$data/train.jsonl" --count "$(by_size 2000 40)" > "$WORK/teacher.txt"
  "$flux2" generate --model "$WORK/base" --prompt-file "$WORK/teacher.txt" --seed 100 --no-prompt-cache \
    --output "$WORK/teacher/picture.png" --force --quiet $(by_size "" "--steps 6")
  "$tool" distillation "$WORK/teacher" --steps 4
fi
train distill --task direct_distill --model "$WORK/base" \
  --dataset_base_path "$WORK/teacher" --dataset_metadata_path "$WORK/teacher/distill.jsonl" \
  --height 128 --width 128 --batch_size "$(by_size 24 8)" --keep_encoded 1 \
  --extra_inputs seed,num_inference_steps,rand_device --exact_loss \
  --trainable_models dit \
  --optimizer muon --learning_rate 1e-3 --lr_scheduler cosine \
  --lr_warmup_steps "$(by_size 50 2)" --max_grad_norm 1 --master_weights fp32 --ema_decay 0.99 \
  --num_epochs "$(by_size 8 2)" --save_steps 1000
assemble "$WORK/base" distill "$WORK/distilled" \
  --distilled --index flux2.steps=4 --index flux2.cfg_scale=1
bash "$recipe/evaluate.sh" "$WORK/base" teacher-4 --steps 4
# As many evaluations of the transformer as the student's.
bash "$recipe/evaluate.sh" "$WORK/base" teacher-4-plain --steps 4 --cfg-scale 1
bash "$recipe/evaluate.sh" "$WORK/distilled" distilled
