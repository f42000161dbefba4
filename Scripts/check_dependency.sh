#!/usr/bin/env bash
# Builds and runs Examples/Dependent, which depends on this package by URL and version. The version
# is a repository of one commit, made of the working tree; nothing outside a temporary folder changes.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { echo "$*" >&2 && exit 1; }
work=$(mktemp -d)
export TMPDIR=$work
trap 'rm -rf "$work"' EXIT

version=$(sed -n 's/.*static let current = "\(.*\)"/\1/p' Sources/FluxCLI/Flux2Command.swift)
export FLUX2_URL=file://$work/flux2
git ls-files -z --cached --others --exclude-standard \
  | tar --create --null --files-from=- | tar --extract --one-top-level="$work/flux2"
there() { git -C "$work/flux2" -c user.name=check -c user.email=check@localhost "$@"; }
there init --quiet
there add --all
there commit --quiet --message "$version"
there tag "$version"

make --silent install-libtorch DESTDIR="$work/root" PREFIX=/usr > /dev/null
export PKG_CONFIG_PATH=$work/root/usr/lib/pkgconfig
export LD_LIBRARY_PATH=$work/root/usr/lib/flux2/torch/lib
# A package that SwiftPM fetched has no use for it.
export LIBTORCH=/nowhere

cp -R Examples/Dependent "$work/"
rm -rf "$work/Dependent/.build"
# SwiftPM remembers which commit an address had for a version: not that of this one.
swift build --package-path "$work/Dependent" --security-path "$work/security" \
  > "$work/log" 2>&1 || fail "$(cat "$work/log")"
# All but SwiftPM's own about a home that it may not write to.
! grep warning: "$work/log" | grep -v user-level >&2 || fail "there are warnings"

expected=$'black-forest-labs/FLUX.2-klein-4B\n10.0'
found=$("$work/Dependent/.build/debug/Dependent")
[ "$found" = "$expected" ] || fail "expected '$expected', found '$found'"
echo "a package that depends on flux2 $version by URL builds and runs"
