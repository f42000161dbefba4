#!/usr/bin/env python3
"""Shows that flux2 and huggingface_hub share a cache.

Needs: pip install huggingface_hub (2.4.0 was used), the command openssl, a built flux2.

    python3 Scripts/check_hub_cache.py [--flux2 .build/release/flux2]

A hub on this machine serves the tiny klein model. Each program fetches it into a cache of its own;
the two have to hold the same links and bytes, and each program has to find the model in the other's
cache with the network switched off.
"""
import argparse, os, pathlib, shutil, subprocess, sys, tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
ID = "black-forest-labs/FLUX.2-klein-4B"


def certificates(folder):
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    run = lambda *more: subprocess.run(
        ["openssl", "req", "-x509", *key, *more], cwd=folder, check=True, stderr=subprocess.DEVNULL)
    run("-keyout", "a.key", "-out", "a.pem", "-subj", "/CN=authority of a check")
    run("-keyout", "s.key", "-out", "s.pem", "-subj", "/CN=localhost", "-CA", "a.pem",
        "-CAkey", "a.key", "-addext", "subjectAltName=DNS:localhost",
        "-addext", "basicConstraints=critical,CA:FALSE")


def tree(cache):
    """Links with their targets, files with their bytes; without listings and marks of absence."""
    found = {}
    root = cache / "hub" / ("models--" + ID.replace("/", "--"))
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = os.readlink(path)
        elif path.is_file() and not name.startswith((".no_exist", "trees")):
            found[name] = path.read_bytes()
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flux2", default=".build/release/flux2")
    flux2 = os.path.abspath(parser.parse_args().flux2)
    work = pathlib.Path(tempfile.mkdtemp())
    server = None
    try:
        certificates(work)
        shutil.copytree(ROOT / "Tests/Reference/models/tiny-klein", work / "root" / ID)
        server = subprocess.Popen(
            [sys.executable, ROOT / "Tests/TestSupport/hub_server.py", work / "root",
             work / "s.pem", work / "s.key", work / "log"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        port = server.stdout.readline().split()[0]
        base = dict(os.environ, HF_ENDPOINT=f"https://localhost:{port}",
                    SSL_CERT_FILE=str(work / "a.pem"), HF_HUB_DISABLE_XET="1", HOME=str(work))
        for name in ("HF_HUB_CACHE", "HF_HUB_OFFLINE", "DIFFSYNTH_MODEL_BASE_PATH"):
            base.pop(name, None)

        def ours(cache, *more):
            subprocess.run(
                [flux2, "download", ID, "--hub", "huggingface", "--quiet", *more], check=True,
                env=dict(base, HF_HOME=str(work / cache)), stdout=subprocess.DEVNULL)

        def theirs(cache, offline):
            code = (f"from huggingface_hub import snapshot_download, scan_cache_dir\n"
                    f"print(snapshot_download('{ID}', local_files_only={offline}))\n"
                    f"assert not scan_cache_dir().warnings, scan_cache_dir().warnings")
            subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL,
                           env=dict(base, HF_HOME=str(work / cache)))

        ours("a")
        theirs("b", offline=False)
        one, other = tree(work / "a"), tree(work / "b")
        for name in sorted(one.keys() | other.keys()):
            if one.get(name) != other.get(name):
                sys.exit(f"{name} differs: {one.get(name)!r:.80} and {other.get(name)!r:.80}")
        print(f"both caches hold the same {len(one)} links and files")
        theirs("a", offline=True)
        print("huggingface_hub finds the model in flux2's cache")
        subprocess.run(
            [flux2, "generate", "a fox", "--model", "klein-4b", "--height", "64", "--width", "64",
             "--steps", "1", "--offline", "--quiet", "--output", work / "fox.png"],
            check=True, env=dict(base, HF_HOME=str(work / "b")))
        print("flux2 finds the model in huggingface_hub's cache")
    finally:
        if server:
            server.stdin.close()
            server.wait()
        shutil.rmtree(work)


main()
