#!/usr/bin/env python3
"""Fetches libtorch, the library behind PyTorch, into .libtorch/ of this package.

    Scripts/setup_libtorch.py [--cuda] [--into FOLDER]

It is taken out of PyTorch's wheel: headers and shared libraries, without Python. The folder
appears complete or not at all; where it is complete already, nothing happens.
"""
import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile

VERSION = "2.13.0"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
# Parts of the wheel that serve Python or PyTorch's own tests alone.
PYTHON_ONLY = (
    "libtorch_python", "libshm", "libaoti_custom_ops", "libbackend_with_compiler",
    "libjitbackend_test", "libtorchbind_test")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cuda", action="store_true", help="the build for NVIDIA GPUs")
    parser.add_argument("--into", default=default_folder(), help="default: .libtorch")
    options = parser.parse_args()
    wanted = "cuda" if options.cuda else "cpu"
    if present(options.into) in (f"{VERSION} {wanted}", f"{VERSION} cuda"):
        return
    fetch(wanted, options.into)


def default_folder():
    return os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), ".libtorch")


def present(folder):
    """The version and kind of a complete folder, else None."""
    try:
        with open(os.path.join(folder, "complete")) as mark:
            return mark.read().strip()
    except OSError:
        return None


def fetch(wanted, folder):
    draft = tempfile.mkdtemp(prefix=os.path.basename(folder) + ".", dir=os.path.dirname(folder))
    try:
        wheels = os.path.join(draft, "wheels")
        kind, wheel = download_torch(wanted, wheels)
        if kind == "cuda":
            download_nvidia(wheel, wheels)
        for name in sorted(os.listdir(wheels)):
            unpack(os.path.join(wheels, name), draft)
        shutil.rmtree(wheels)
        if kind == "cuda" and not os.path.exists(os.path.join(draft, "torch/lib/libtorch_cuda.so")):
            sys.exit(f"the wheel {os.path.basename(wheel)} has no CUDA")
        with open(os.path.join(draft, "complete"), "w") as mark:
            mark.write(f"{VERSION} {kind}\n")
        os.chmod(draft, 0o755)
        shutil.rmtree(folder, ignore_errors=True)
        os.rename(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    print(f"libtorch {VERSION} ({kind}) is in {folder}")


def download_torch(wanted, into):
    """Downloads PyTorch's wheel from the first place that has it."""
    linux = platform.system() == "Linux"
    places = [("cpu", [f"torch=={VERSION}+cpu"]),
              ("cpu", [f"torch=={VERSION}+cpu", "--index-url", CPU_INDEX])] if linux else []
    if wanted == "cuda":
        places = []
    # Python's package index has the CUDA build for Linux and the plain one for macOS.
    # Three signs of equality, since two would also take the build without CUDA.
    places.append(("cuda" if linux and platform.machine() == "x86_64" else "cpu", [f"torch==={VERSION}"]))
    failures = []
    for kind, arguments in places:
        print(f"fetching {' '.join(arguments)}", flush=True)
        outcome = pip(["--no-deps", *arguments], into)
        if outcome.returncode == 0:
            (wheel,) = [name for name in os.listdir(into) if name.startswith("torch-")]
            return kind, os.path.join(into, wheel)
        failures.append(outcome.stderr.strip().splitlines()[-1:])
    sys.exit("libtorch could not be fetched: " + "; ".join(sum(failures, [])))


def download_nvidia(wheel, into):
    """Downloads what the wheel says it needs of NVIDIA's libraries."""
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        lines = archive.read(metadata).decode().splitlines()
    needs = [line.split(":", 1)[1].strip() for line in lines if line.startswith("Requires-Dist:")]
    needs = [need for need in needs if need.startswith(("nvidia-", "cuda-toolkit"))]
    if not needs:
        return
    print(f"fetching {len(needs)} of NVIDIA's packages, some gigabytes", flush=True)
    outcome = pip(needs, into)
    if outcome.returncode != 0:
        sys.exit("NVIDIA's libraries could not be fetched: " + outcome.stderr.strip())


def pip(arguments, into):
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary", ":all:",
               "--dest", into, *arguments]
    return subprocess.run(command, stderr=subprocess.PIPE, text=True)


def unpack(wheel, folder):
    """Unpacks headers and libraries; the libraries find each other by where they lie."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if is_needed(name):
                archive.extract(name, folder)


def is_needed(name):
    top, file = name.split("/")[0], name.rsplit("/", 1)[-1]
    library = ".so" in file or file.endswith(".dylib")
    if top == "nvidia" or top == "torch.libs":
        return library
    if name.startswith("torch/lib/"):
        return library and not file.startswith(PYTHON_ONLY)
    return name.startswith("torch/include/")


if __name__ == "__main__":
    main()
