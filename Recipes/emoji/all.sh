#!/bin/bash
# Every stage, from an empty folder. SHORT=1 takes minutes and shows that all of them run.
. "$(dirname "$0")/common.sh"
for stage in vae base distill style split fp8 differential full edit img2img inpaint; do
  echo "== $stage"
  bash "$recipe/$stage.sh"
done
