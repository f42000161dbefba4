#!/usr/bin/env python3
"""Fails where a public declaration of the package has no documentation comment.

    Scripts/check_documentation.py

Has SwiftPM write the symbol graphs, and lists `module: symbol` for each declaration that lacks a
comment. What a protocol asks for inherits the protocol's words, and what the compiler makes up has
no place in a source; neither needs a comment of its own.
"""
import glob
import json
import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# All that others can import: what has Swift sources, but for the program.
MODULES = sorted({os.path.relpath(path, os.path.join(ROOT, "Sources")).split(os.sep)[0]
                  for path in glob.glob(os.path.join(ROOT, "Sources", "*", "**", "*.swift"),
                                        recursive=True)} - {"FluxCLI"})
# Enumerations of names of options and fields, which their own comments explain.
NAMES = {"NumericSetting", "NumericField"}
DUMP = ["swift", "package", "--package-path", ROOT, "-c", "release", "dump-symbol-graph",
        "--minimum-access-level", "public", "--skip-synthesized-members"]


def main():
    folder = dump()
    missing = [f"{module}: {symbol}"
               for module in MODULES for symbol in undocumented(folder, module)]
    print("\n".join(missing or ["all public declarations are documented"]))
    sys.exit(1 if missing else 0)


def dump():
    """Writes the symbol graphs; returns the folder with them."""
    start = time.time()
    outcome = subprocess.run(DUMP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    # The status is no help: SwiftPM fails at modules in C and at tests, and writes the others.
    folders = re.findall("^Files written to (.+)$", outcome.stdout, re.MULTILINE)
    for module in MODULES:
        graph = os.path.join(folders[-1], f"{module}.symbols.json") if folders else ""
        if not os.path.exists(graph) or os.path.getmtime(graph) < start - 1:
            sys.exit(f"{outcome.stdout}\nno symbol graph of {module} has been written")
    return folders[-1]


def undocumented(folder, module):
    """The symbols of a module, and of its extensions of others, that lack a comment."""
    found = set()
    for name in os.listdir(folder):
        if re.fullmatch(module + r"(@.+)?\.symbols\.json", name):
            with open(os.path.join(folder, name)) as file:
                found.update(lacking(json.load(file)))
    return sorted(found)


def lacking(graph):
    # A relationship has an origin where the symbol fulfils a requirement of a protocol.
    inherited = {link["source"] for link in graph["relationships"] if "sourceOrigin" in link}
    for symbol in graph["symbols"]:
        is_name = (symbol["kind"]["identifier"] == "swift.enum.case" and symbol["pathComponents"][0] in NAMES)
        if "location" in symbol and not is_name and symbol["identifier"]["precise"] not in inherited:
            lines = symbol.get("docComment", {}).get("lines", [])
            if not any(line["text"].strip() for line in lines):
                yield ".".join(symbol["pathComponents"])


if __name__ == "__main__":
    main()
