"""Makes gguf/: blocks with their values, and tiny GGUF files, written by the format's own package.

    pip install gguf==0.19.0 numpy safetensors==0.8
    python3 make_gguf_vectors.py

blocks.safetensors holds packed rows of every block format and what `gguf.quants.dequantize` makes of
them. The files hold weights of models/tiny-klein and models/tiny-dev as published ones do: the
transformer named by Black Forest Labs, with matrices of blocks in Q8_0; text encoders as llama.cpp
converts and names them.
"""
import json
import os
import struct

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf.quants import dequantize, quantize
from safetensors.numpy import save_file

here = os.path.dirname(os.path.abspath(__file__))
random = np.random.default_rng(7)
os.makedirs(os.path.join(here, "gguf"), exist_ok=True)


# --- Blocks --------------------------------------------------------------------------------------

ROWS, COLUMNS = 12, 512
SCALES = np.array([0, -0.0, 1, -1, 65504, -65504, 2**-14, -(2**-14), 2**-24, -(2**-24), 0.1, 1e-5, 3e-7], np.float16)
# Where a block has its half-precision scales.
SCALES_AT = {Type.Q4_0: [0], Type.Q8_0: [0], Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208]}


def random_blocks(kind, rows):
    """Any bytes, with scales that are numbers: tiny, huge, negative, zero."""
    values, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = random.integers(0, 256, (rows * COLUMNS // values, size), np.uint8)
    for place in SCALES_AT[kind]:
        scales = random.normal(0, 0.01, len(blocks)).astype(np.float16)
        special = random.random(len(blocks)) < 0.5
        scales[special] = random.choice(SCALES, special.sum())
        blocks[:, place:place + 2] = scales.view(np.uint8).reshape(-1, 2)
    return blocks.reshape(rows, -1)


vectors = {}
for kind in SCALES_AT:
    packed = random_blocks(kind, ROWS)
    if kind in (Type.Q4_0, Type.Q8_0):  # the package writes no K-quants
        values = random.normal(0, 0.05, (ROWS // 2, COLUMNS)).astype(np.float32)
        packed = np.concatenate([quantize(values, kind), packed[ROWS // 2:]])
    vectors[f"{kind.name}.packed"] = packed
    vectors[f"{kind.name}.values"] = dequantize(packed, kind)
save_file(vectors, os.path.join(here, "gguf/blocks.safetensors"))


# --- Files ---------------------------------------------------------------------------------------


def bfloat16_file(*path):
    """All tensors of a file of bfloat16, as float32."""
    with open(os.path.join(here, "models", *path), "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    header.pop("__metadata__", None)
    tensors = {}
    for name, info in header.items():
        assert info["dtype"] == "BF16"
        bits = np.frombuffer(data[slice(*info["data_offsets"])], np.uint16).astype(np.uint32) << 16
        tensors[name] = bits.view(np.float32).reshape(info["shape"])
    return tensors


def shards(folder):
    tensors = {}
    for part in (1, 2):
        tensors |= bfloat16_file(folder, "text_encoder", f"model-0000{part}-of-00002.safetensors")
    return tensors


def add(writer, name, values, kind):
    if values.ndim == 1:
        kind = Type.F32
    elif values.shape[-1] % gguf.GGML_QUANT_SIZES[kind][0]:
        kind = Type.F16
    writer.add_tensor(name, quantize(values, kind), raw_dtype=kind)


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def start(name, architecture):
    writer = gguf.GGUFWriter(os.path.join(here, "gguf", name + ".gguf"), architecture)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    return writer


TOP = {
    "x_embedder": "img_in", "context_embedder": "txt_in", "proj_out": "final_layer.linear",
    "time_guidance_embed.timestep_embedder.linear_1": "time_in.in_layer",
    "time_guidance_embed.timestep_embedder.linear_2": "time_in.out_layer",
    "double_stream_modulation_img.linear": "double_stream_modulation_img.lin",
    "double_stream_modulation_txt.linear": "double_stream_modulation_txt.lin",
    "single_stream_modulation.linear": "single_stream_modulation.lin",
}
DOUBLE = {
    "attn.to_out.0.weight": "img_attn.proj.weight", "attn.to_add_out.weight": "txt_attn.proj.weight",
    "attn.norm_q.weight": "img_attn.norm.query_norm.scale",
    "attn.norm_k.weight": "img_attn.norm.key_norm.scale",
    "attn.norm_added_q.weight": "txt_attn.norm.query_norm.scale",
    "attn.norm_added_k.weight": "txt_attn.norm.key_norm.scale",
    "ff.linear_in.weight": "img_mlp.0.weight", "ff.linear_out.weight": "img_mlp.2.weight",
    "ff_context.linear_in.weight": "txt_mlp.0.weight", "ff_context.linear_out.weight": "txt_mlp.2.weight",
}
SINGLE = {
    "attn.to_qkv_mlp_proj.weight": "linear1.weight", "attn.to_out.weight": "linear2.weight",
    "attn.norm_q.weight": "norm.query_norm.scale", "attn.norm_k.weight": "norm.key_norm.scale",
}


def bfl(tensors):
    named = {}
    for key, name in TOP.items():
        named[name + ".weight"] = tensors[key + ".weight"]
    scale, shift = np.split(tensors["norm_out.linear.weight"], 2)
    named["final_layer.adaLN_modulation.1.weight"] = np.concatenate([shift, scale])
    for block in range(2):
        prefix = f"transformer_blocks.{block}."
        for key, name in DOUBLE.items():
            named[f"double_blocks.{block}.{name}"] = tensors[prefix + key]
        for stream, parts in (("img", "to_{}"), ("txt", "add_{}_proj")):
            named[f"double_blocks.{block}.{stream}_attn.qkv.weight"] = np.concatenate(
                [tensors[prefix + f"attn.{parts.format(part)}.weight"] for part in "qkv"])
    for block in range(3):
        for key, name in SINGLE.items():
            named[f"single_blocks.{block}.{name}"] = tensors[f"single_transformer_blocks.{block}.{key}"]
    return named


writer = start("klein-transformer", "flux")
for name, values in bfl(bfloat16_file("tiny-klein/transformer/diffusion_pytorch_model.safetensors")).items():
    add(writer, name, values, Type.Q8_0 if "_blocks." in name else Type.BF16)
finish(writer)

LLAMA_CPP = {
    "embed_tokens": "token_embd", "norm": "output_norm", "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def llama_cpp(name):
    parts = name.removesuffix(".weight").split(".")
    if parts[0] == "layers":
        return f"blk.{parts[1]}.{LLAMA_CPP['.'.join(parts[2:])]}.weight"
    return LLAMA_CPP[parts[0]] + ".weight"


def describe(writer, config, layers):
    writer.add_block_count(layers)
    writer.add_context_length(40960)
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([f"token {number}" for number in range(config["vocab_size"])])
    writer.add_token_types([1] * config["vocab_size"])
    writer.add_add_bos_token(False)


def config_of(model):
    with open(os.path.join(here, "models", model, "text_encoder/config.json")) as file:
        config = json.load(file)
    return config.get("text_config", config)


writer, config = start("qwen3", "qwen3"), config_of("tiny-klein")
describe(writer, config, config["num_hidden_layers"])
for name, values in shards("tiny-klein").items():
    add(writer, llama_cpp(name.removeprefix("model.")), values, Type.Q8_0)
finish(writer)


def rotated_side_by_side(values, heads):
    """Row i of the first and of the second half of a head become its rows 2i and 2i+1."""
    halves = values.reshape(heads, 2, -1, values.shape[-1])
    return np.stack([halves[:, 0], halves[:, 1]], axis=2).reshape(values.shape)


for architecture in ("mistral3", "llama"):
    writer, config = start(architecture, architecture), config_of("tiny-dev") | {"vocab_size": 16}
    describe(writer, config, 2)
    writer.add_rope_dimension_count(config["head_dim"])
    for name, values in shards("tiny-dev").items():
        name = name.removeprefix("language_model.model.")
        if name.startswith(("layers.0.", "layers.1.", "embed_tokens", "norm.")):
            if "q_proj" in name:
                values = rotated_side_by_side(values, config["num_attention_heads"])
            elif "k_proj" in name:
                values = rotated_side_by_side(values, config["num_key_value_heads"])
            # One of the widths is a whole number of blocks.
            add(writer, llama_cpp(name), values[:16] if "embed" in name else values, Type.Q8_0)
    finish(writer)
