#!/usr/bin/env bash
# Installs the Debian packages that are missing, or prints the line that does.
#
#   setup_packages.sh [emoji-font]    with the font that the emoji model's recipe draws from
set -euo pipefail

missing=()
need() { # header, package
  echo "#include <$1>" | clang -x c -fsyntax-only - 2> /dev/null || missing+=("$2")
}
need png.h libpng-dev
need turbojpeg.h libturbojpeg0-dev
need webp/encode.h libwebp-dev
need yaml.h libyaml-dev
need curl/curl.h libcurl4-openssl-dev
need openssl/evp.h libssl-dev
# Tests make certificates; downloads trust those of the system.
command -v openssl > /dev/null || missing+=(openssl)
[ ! -e /etc/debian_version ] || [ -e /etc/ssl/certs/ca-certificates.crt ] || missing+=(ca-certificates)
python3 -m pip --version > /dev/null 2>&1 || missing+=(python3-pip)
[ "${1:-}" != emoji-font ] || [ -e /usr/share/fonts/truetype/noto/NotoColorEmoji.ttf ] \
  || missing+=(fonts-noto-color-emoji)
[ ${#missing[@]} -eq 0 ] && exit 0

install="apt-get install -y --no-install-recommends ${missing[*]}"
if ! command -v apt-get > /dev/null; then
  echo "missing: install your system's counterparts of ${missing[*]}" >&2
  exit 1
elif [ "$(id -u)" -eq 0 ]; then
  # A failed update matters only if the packages are not found then.
  apt-get update -qq || true
  DEBIAN_FRONTEND=noninteractive $install -qq
elif sudo -n true 2> /dev/null; then
  sudo apt-get update -qq || true
  sudo DEBIAN_FRONTEND=noninteractive $install -qq
else
  echo "missing packages; run: sudo $install" >&2
  exit 1
fi
