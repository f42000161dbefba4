#!/usr/bin/env bash
# Makes the libtorch under PREFIX/lib/flux2 known to pkg-config and, as root, to the dynamic loader.
#   Scripts/register_libtorch.sh [--remove] PREFIX [DESTDIR]
set -euo pipefail

remove=
[ "$1" = --remove ] && remove=1 && shift
prefix=$1
destdir=${2-}
torch=$prefix/lib/flux2/torch
pc_folder=$prefix/lib/pkgconfig
# Last in the order of names, so that a system's own libgomp goes before the one beside libtorch.
loader=/etc/ld.so.conf.d/zz-flux2.conf

may_tell_loader() {
  [ -z "$destdir" ] && [ "$(id -u)" -eq 0 ] && [ -d "${loader%/*}" ] && command -v ldconfig > /dev/null
}

if [ -n "$remove" ]; then
  if grep -qsF ../flux2/torch "$destdir$pc_folder/libtorch.pc"; then
    rm "$destdir$pc_folder/libtorch.pc"
  fi
  if may_tell_loader && grep -qsxF "$torch/lib" "$loader"; then
    rm "$loader"
    ldconfig
  fi
  exit
fi

version=$(awk '/define TORCH_VERSION_(MAJOR|MINOR|PATCH) / { printf "%s%s", dot, $3; dot = "." }' \
  "$destdir$torch/include/torch/headeronly/version.h")
mkdir -p "$destdir$pc_folder"
# From where the file lies, so that the tree may be moved. SwiftPM takes -I, -L and -l, nothing else.
cat > "$destdir$pc_folder/libtorch.pc" << END
torch=\${pcfiledir}/../flux2/torch

Name: libtorch
Description: the library behind PyTorch
Version: $version
Cflags: -I\${torch}/include -I\${torch}/include/torch/csrc/api/include
Libs: -L\${torch}/lib -ltorch_cpu -lc10
END

needed=()
case :/usr/local/lib/pkgconfig:/usr/lib/pkgconfig:$(pkg-config --variable pc_path pkg-config 2> /dev/null): in
  *:"$pc_folder":*) ;;
  *) needed+=("PKG_CONFIG_PATH=$pc_folder") ;;
esac
if may_tell_loader; then
  echo "$torch/lib" > "$loader"
  ldconfig
else
  needed+=("LD_LIBRARY_PATH=$torch/lib")
fi
echo "libtorch $version is in $destdir$torch"
[ ${#needed[@]} -eq 0 ] || echo "builds and programs need it named: export ${needed[*]}"
