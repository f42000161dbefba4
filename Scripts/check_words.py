#!/usr/bin/env python3
"""Fails where a name or word that was given up has come back, and says where.

    Scripts/check_words.py

The words are in Scripts/former_words.txt; CONTRIBUTING.md has the glossary of those to use.
"""
import fnmatch
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CODE = ("*.swift", "*.cpp", "*.hpp", "*.h", "*.c")
# Other programs' headers, and data.
LEFT_OUT = re.compile(r"Tests/Reference/|Sources/CTorch/stubs/")
# Names that others read: options, JSON keys, what files of other programs say.
KEPT = re.compile(r'"[^"\n]*(pictures?|licence|colour|grey)[^"\n]*"|--pictures|options\.pictures'
                  r"|var pictures: String\?|Swift does not bring|bring the clock|WebPPicture")


def rules():
    for line in open(os.path.join(ROOT, "Scripts", "former_words.txt")):
        line = line.rstrip("\n")
        if line and not line.startswith("#"):
            pattern, *globs = line.split("\t")
            yield re.compile(pattern), globs[0].split(",") if globs else CODE


def main():
    words, count = list(rules()), 0
    for path in subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines():
        if not path.endswith(tuple(end[1:] for end in CODE)) or LEFT_OUT.search(path):
            continue
        mine = [word for word, globs in words if any(fnmatch.fnmatch(path, glob) for glob in globs)]
        with open(os.path.join(ROOT, path), errors="replace") as file:
            for number, line in enumerate(file, 1):
                found = next((m for m in (word.search(line) for word in mine) if m), None)
                if found and not KEPT.search(line):
                    print(f"{path}:{number}: '{found.group(0)}': {line.strip()[:90]}")
                    count += 1
    print(f"{count} words of before" if count else "no word of before")
    sys.exit(1 if count else 0)


if __name__ == "__main__":
    main()
