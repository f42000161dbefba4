#!/bin/bash
# Trains the autoencoder, and says how well it gives pictures back.
#
#   BATCH=4 EPOCHS=6         with a GPU, larger ones
. "$(dirname "$0")/common.sh"
train vae --task vae --model "$WORK/untrained" \
  --dataset_base_path "$data" --dataset_metadata_path "$data/train.jsonl" \
  --height 128 --width 128 --batch_size "${BATCH:-4}" --dataset_num_workers "$workers" \
  --trainable_models vae --kl_weight 1e-3 \
  --learning_rate 2e-3 --lr_scheduler cosine --lr_warmup_steps "$(by_size 100 10)" \
  --max_grad_norm 1 --master_weights fp32 \
  --num_epochs "${EPOCHS:-$(by_size 6 2)}" --save_steps 500 \
  --validation_split 32 --validation_steps 250
assemble "$WORK/untrained" vae "$WORK/encoded"
"$flux2" evaluate --model "$WORK/encoded" --among "$data/names.jsonl" --vae-only
