#!/usr/bin/env python3
"""Writes Mistral's published vocabulary as FOLDER/tokenizer.json, for the tests that FLUX2_TEKKEN enables.

    tekken_tokenizer.py FOLDER

The vocabulary comes from the PyPI package mistral-common, which pip fetches. It lists tokens by rank; a
merge joins the two parts that tokens of lower ranks make of a token's bytes.
"""
import base64, json, os, pathlib, subprocess, sys, tempfile, zipfile

PACKAGE = "mistral-common==1.8.3"
FILE = "mistral_common/data/tekken_240911.json"
SPECIAL = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]",
           "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]",
           "[IMG_END]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]",
           "[TOOL_CONTENT]"]


def published():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", folder,
                        PACKAGE], check=True)
        wheel, = pathlib.Path(folder).glob("*.whl")
        return json.loads(zipfile.ZipFile(wheel).read(FILE))


def byte_letters():
    """The letters that stand for bytes in byte-level vocabularies: themselves where they can be seen."""
    seen = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in seen]
    return {byte: chr(byte) for byte in seen} | {byte: chr(256 + n) for n, byte in enumerate(hidden)}


def parts(token, ranks):
    """The two pieces of which a token is made last."""
    pieces = [token[i:i + 1] for i in range(len(token))]
    while len(pieces) > 2:
        rank, place = min((ranks.get(pieces[i] + pieces[i + 1], len(ranks)), i)
                          for i in range(len(pieces) - 1))
        pieces[place:place + 2] = [pieces[place] + pieces[place + 1]]
    return pieces


def tokenizer(tekken):
    config = tekken["config"]
    special = config["default_num_special_tokens"]
    names = SPECIAL + [f"<SPECIAL_{n}>" for n in range(len(SPECIAL), special)]
    tokens = [base64.b64decode(entry["token_bytes"])
              for entry in tekken["vocab"][:config["default_vocab_size"] - special]]
    ranks = {token: rank for rank, token in enumerate(tokens)}
    letters = byte_letters()
    text = lambda token: "".join(letters[byte] for byte in token)
    vocabulary = {name: n for n, name in enumerate(names)}
    vocabulary |= {text(token): special + rank for rank, token in enumerate(tokens)}
    merges = [[text(piece) for piece in parts(token, ranks)] for token in tokens if len(token) > 1]
    split = {"type": "Split", "pattern": {"Regex": config["pattern"]}, "behavior": "Isolated",
             "invert": False}
    return {
        "version": "1.0", "normalizer": None,
        "added_tokens": [{"id": n, "content": name, "special": True, "normalized": False,
                          "lstrip": False, "rstrip": False, "single_word": False}
                         for n, name in enumerate(names)],
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            split, {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}]},
        "decoder": {"type": "ByteLevel"},
        "model": {"type": "BPE", "ignore_merges": True, "vocab": vocabulary, "merges": merges}}


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    os.makedirs(sys.argv[1], exist_ok=True)
    with open(os.path.join(sys.argv[1], "tokenizer.json"), "w") as file:
        json.dump(tokenizer(published()), file, ensure_ascii=False)
