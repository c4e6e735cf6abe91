"""Qwen2.5-VL at small scale: its configuration, and its forward pass for training on a CPU.

The weights live in transformers' own model, so a checkpoint is a Qwen2.5-VL checkpoint. The
forward pass here computes the same function (a test compares the two), but takes dense batches:
transformers attends image by image in a loop, which costs a third of the time on a CPU, and it
encodes an image once a question, where this one encodes a page once for all its questions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from curation.embedded.views import MERGE, PATCH

if TYPE_CHECKING:
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

TEXT_HEAD, VISION_HEAD = 64, 32
MROPE_SECTION = (8, 12, 12)
THETA = 10000.0
_EPSILON = 1e-6


def configuration(vocabulary: int, ids: dict[str, int]) -> Qwen2_5_VLConfig:
    """A Qwen2.5-VL of about 4 million parameters; `ids` names the special tokens' ids."""
    from transformers import Qwen2_5_VLConfig

    ends = {"bos_token_id": None, "eos_token_id": ids["stop"], "pad_token_id": ids["end"]}
    depth = 5
    return Qwen2_5_VLConfig(
        text_config={
            "vocab_size": vocabulary,
            "hidden_size": 192,
            "intermediate_size": 512,
            "num_hidden_layers": 4,
            "num_attention_heads": 3,
            "num_key_value_heads": 3,
            "max_position_embeddings": 4096,
            "rms_norm_eps": _EPSILON,
            "rope_parameters": {
                "rope_type": "default",
                "mrope_section": list(MROPE_SECTION),
                "rope_theta": THETA,
            },
            "tie_word_embeddings": True,
            **ends,
        },
        vision_config={
            "depth": depth,
            "hidden_size": 160,
            "intermediate_size": 432,
            "num_heads": 5,
            "out_hidden_size": 192,
            "patch_size": PATCH,
            "spatial_merge_size": MERGE,
            "temporal_patch_size": 2,
            "window_size": 112,
            # Every block attends over the whole view: it has 40 tokens at most.
            "fullatt_block_indexes": list(range(depth)),
        },
        image_token_id=ids["image"],
        video_token_id=ids["video"],
        vision_start_token_id=ids["vision_start"],
        vision_end_token_id=ids["vision_end"],
        tie_word_embeddings=True,
        **ends,
    )


def new_model(config: Qwen2_5_VLConfig, seed: int) -> Qwen2_5_VLForConditionalGeneration:
    """A model with fresh weights, the same for a seed."""
    from transformers import Qwen2_5_VLForConditionalGeneration

    torch.manual_seed(seed)
    model = Qwen2_5_VLForConditionalGeneration(config)
    for name, weight in model.named_parameters():
        if weight.ndim > 1 and "embed_tokens" not in name:
            # The usual 0.02 suits wide models; in narrow ones it nearly silences every block.
            nn.init.normal_(weight, std=weight[0].numel() ** -0.5)
    return model


def _rms_norm(x: Tensor, weight: Tensor) -> Tensor:
    wide = x.float()
    scaled = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + _EPSILON)
    return (scaled * weight).to(x.dtype)


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    half = x.shape[-1] // 2
    return x * cos + torch.cat((-x[..., half:], x[..., :half]), dim=-1) * sin


def _attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """Softmax attention of (batch, heads, length, size); `mask` is added to the logits."""
    logits = (q @ k.transpose(-1, -2)) * q.shape[-1] ** -0.5 + mask
    mixed = torch.softmax(logits.float(), dim=-1).to(v.dtype) @ v
    return mixed.transpose(1, 2).flatten(2)


def _heads(x: Tensor, count: int) -> Tensor:
    return x.unflatten(-1, (count, -1)).transpose(1, 2)


Weights = dict[str, Tensor]
"""Parameters of one block by their names in it: one compiled function serves all blocks."""


def _linear(x: Tensor, weights: Weights, name: str) -> Tensor:
    return functional.linear(x, weights[f"{name}.weight"], weights.get(f"{name}.bias"))


def _gated(x: Tensor, weights: Weights) -> Tensor:
    gate = functional.silu(_linear(x, weights, "mlp.gate_proj"))
    return _linear(gate * _linear(x, weights, "mlp.up_proj"), weights, "mlp.down_proj")


def vision_block(x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor, weights: Weights) -> Tensor:
    """One block of the vision tower."""
    qkv = _linear(_rms_norm(x, weights["norm1.weight"]), weights, "attn.qkv")
    count = x.shape[-1] // VISION_HEAD
    q, k, v = (_heads(part, count) for part in qkv.chunk(3, dim=-1))
    mixed = _attend(_rotate(q, cos, sin), _rotate(k, cos, sin), v, mask)
    x = x + _linear(mixed, weights, "attn.proj")
    return x + _gated(_rms_norm(x, weights["norm2.weight"]), weights)


def text_layer(x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor, weights: Weights) -> Tensor:
    """One layer of the language model."""
    normed = _rms_norm(x, weights["input_layernorm.weight"])
    count = x.shape[-1] // TEXT_HEAD
    q, k, v = (_heads(_linear(normed, weights, f"self_attn.{n}_proj"), count) for n in "qkv")
    mixed = _attend(_rotate(q, cos, sin), _rotate(k, cos, sin), v, mask)
    x = x + _linear(mixed, weights, "self_attn.o_proj")
    return x + _gated(_rms_norm(x, weights["post_attention_layernorm.weight"]), weights)


def _turns(angles: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines of rotary angles, for all heads."""
    full = torch.cat((angles, angles), dim=-1).unsqueeze(1)
    return full.cos().to(like.dtype), full.sin().to(like.dtype)


def encode(visual: Any, patches: Tensor, angles: Tensor, mask: Tensor) -> Tensor:
    """Image features of padded views.

    `patches` is (images, patches, 588), `angles` the rotary angles (images, patches, head / 2),
    `mask` (images, 1, 1, patches) with -inf at padding; the result (images, patches / 4, hidden).
    """
    # Both frames of a still image are the same, so their two filters add up.
    kernel = visual.patch_embed.proj.weight.sum(2).flatten(1)
    x = functional.linear(patches, kernel)
    cos, sin = _turns(angles, x)
    mask = mask.to(x.dtype)
    for block in visual.blocks:
        x = vision_block(x, cos, sin, mask, dict(block.named_parameters()))
    merged = _rms_norm(x, visual.merger.ln_q.weight).unflatten(1, (-1, MERGE**2)).flatten(2)
    features: Tensor = visual.merger.mlp(merged)
    return features


def decode(language: Any, x: Tensor, angles: Tensor) -> Tensor:
    """Hidden states (batch, length, hidden) of embedded tokens under a causal mask.

    `angles` are the rotary angles (batch, length, head / 2) with M-RoPE's sections chosen.
    """
    cos, sin = _turns(angles, x)
    mask = torch.full((x.shape[1], x.shape[1]), float("-inf"), dtype=x.dtype).triu(1)
    for layer in language.layers:
        x = text_layer(x, cos, sin, mask, dict(layer.named_parameters()))
    return _rms_norm(x, language.norm.weight)


def compile_blocks() -> None:
    """Compile the two block functions for batches of any size (needs a C++ compiler)."""
    global vision_block, text_layer
    vision_block = torch.compile(vision_block, dynamic=True)
    text_layer = torch.compile(text_layer, dynamic=True)


class Trainee(nn.Module):
    """The training view of a Qwen2.5-VL: loss and hits over the learned tokens of a batch."""

    def __init__(self, model: Qwen2_5_VLForConditionalGeneration) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Cross-entropy of each learned token and whether it was the most likely one."""
        inner: Any = self.model.model
        features = encode(
            inner.visual, batch["patches"].float(), batch["vision_angles"], batch["vision_mask"]
        )
        embedded = inner.language_model.embed_tokens(batch["ids"])
        # Row 0 of the table is a blank for tokens that are text.
        table = torch.cat((features.new_zeros(1, features.shape[-1]), features.flatten(0, 1)))
        visual = table[batch["feature_index"]]
        x = torch.where(batch["feature_index"].unsqueeze(-1) > 0, visual, embedded.to(visual.dtype))
        hidden = decode(inner.language_model, x, batch["text_angles"])
        learned = hidden.flatten(0, 1)[batch["learned"]]
        logits = functional.linear(learned, inner.language_model.embed_tokens.weight).float()
        loss = functional.cross_entropy(logits, batch["targets"], reduction="none")
        return loss, logits.argmax(-1) == batch["targets"]
