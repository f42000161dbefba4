# What trainings of LoRAs of the emoji model share. Sourced.
[ -e "$WORK/base" ] || bash "$recipe/base.sh"
targets=to_q,to_k,to_v,to_qkv_mlp_proj,to_out.0,add_q_proj,add_k_proj,add_v_proj,to_add_out

# lora NAME ARGUMENTS
lora() {
  local name=$1
  shift
  train "$name" --model "$WORK/base" --height 128 --width 128 --batch_size 10 --keep_encoded 1 \
    --lora_base_model dit --lora_target_modules "$targets" --lora_rank 16 --exact_loss \
    --learning_rate 1e-3 --lr_scheduler cosine --lr_warmup_steps "$(by_size 20 2)" \
    --master_weights fp32 --num_epochs "$(by_size 200 60)" --save_steps 1000 "$@"
}

# Names that no style was trained on.
plain_prompts() {
  printf '%s%s\n' "$1" cat "$1" dog "$1" pizza "$1" rocket "$1" heart "$1" castle "$1" rose \
    "$1" guitar
}

# compare NAME PREFIX LORA: the same prompts and seeds without and with a LoRA, and their figures.
compare() {
  local name=$1 prefix=$2 lora=$3
  shift 3
  plain_prompts "$prefix" > "$WORK/$name-prompts.txt"
  pictures "$WORK/$name-before" "$WORK/$name-prompts.txt" --model "$WORK/base"
  pictures "$WORK/$name-after" "$WORK/$name-prompts.txt" --model "$WORK/base" --lora "$lora" "$@"
  for side in before after; do
    echo "$name, $side: $("$tool" style "$WORK/$name-$side"/picture-[0-9]*.png)" \
      | tee "$WORK/$name-$side.txt"
  done
}
