"""MiniCPM and ChatGLM2 in plain PyTorch, with the weight names of their checkpoints: what a conversion must equal."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn


class RMSNorm(nn.Module):
    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(width) + 0.5)
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps)


def angles(length: int, size: int, base: float) -> Tensor:
    """Positions times frequencies: (length, size / 2)."""
    return torch.outer(torch.arange(length).float(), base ** (-torch.arange(0, size, 2).float() / size))


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal attention of (heads, length, size) with fewer heads of keys and values, to (length, heads * size)."""
    times = q.shape[0] // k.shape[0]
    k, v = k.repeat_interleave(times, 0), v.repeat_interleave(times, 0)
    scores = q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])
    future = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
    mixed = scores.masked_fill(future, -math.inf).softmax(-1) @ v
    return mixed.transpose(0, 1).flatten(1)


class MiniCPMAttention(nn.Module):
    def __init__(self, c: dict[str, Any]) -> None:
        super().__init__()
        self.size, width = c["hidden_size"] // c["num_attention_heads"], c["hidden_size"]
        self.q_proj = nn.Linear(width, width, bias=False)
        self.k_proj = nn.Linear(width, c["num_key_value_heads"] * self.size, bias=False)
        self.v_proj = nn.Linear(width, c["num_key_value_heads"] * self.size, bias=False)
        self.o_proj = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (p(x).unflatten(-1, (-1, self.size)).transpose(0, 1) for p in (self.q_proj, self.k_proj, self.v_proj))
        return self.o_proj(attend(self.turn(q), self.turn(k), v))

    def turn(self, x: Tensor) -> Tensor:
        """Rotate each half of a head against the other half."""
        a = angles(x.shape[1], self.size, 10000.0)
        first, second = x.chunk(2, -1)
        return torch.cat([first * a.cos() - second * a.sin(), second * a.cos() + first * a.sin()], -1)


class MiniCPMMLP(nn.Module):
    def __init__(self, c: dict[str, Any]) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(c["hidden_size"], c["intermediate_size"], bias=False)
        self.up_proj = nn.Linear(c["hidden_size"], c["intermediate_size"], bias=False)
        self.down_proj = nn.Linear(c["intermediate_size"], c["hidden_size"], bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(nn.functional.silu(self.gate_proj(x)) * self.up_proj(x))


class MiniCPMLayer(nn.Module):
    def __init__(self, c: dict[str, Any]) -> None:
        super().__init__()
        self.self_attn, self.mlp = MiniCPMAttention(c), MiniCPMMLP(c)
        self.input_layernorm = RMSNorm(c["hidden_size"], c["rms_norm_eps"])
        self.post_attention_layernorm = RMSNorm(c["hidden_size"], c["rms_norm_eps"])
        self.weight_of_branch = c["scale_depth"] / math.sqrt(c["num_hidden_layers"])

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x)) * self.weight_of_branch
        return x + self.mlp(self.post_attention_layernorm(x)) * self.weight_of_branch


class MiniCPM(nn.Module):
    """Embeddings times scale_emb, branches times scale_depth / √layers, the end divided by width / dim_model_base."""

    def __init__(self, c: dict[str, Any]) -> None:
        super().__init__()
        self.c = c
        self.model = nn.ModuleDict(
            {
                "embed_tokens": nn.Embedding(c["vocab_size"], c["hidden_size"]),
                "layers": nn.ModuleList(MiniCPMLayer(c) for _ in range(c["num_hidden_layers"])),
                "norm": RMSNorm(c["hidden_size"], c["rms_norm_eps"]),
            }
        )
        self.lm_head = nn.Linear(c["hidden_size"], c["vocab_size"], bias=False)
        if c.get("tie_word_embeddings", True):
            self.lm_head.weight = self.model["embed_tokens"].weight

    def forward(self, ids: Tensor) -> Tensor:
        x = self.model["embed_tokens"](ids) * self.c["scale_emb"]
        for layer in self.model["layers"]:
            x = layer(x)
        return self.lm_head(self.model["norm"](x) / (self.c["hidden_size"] / self.c["dim_model_base"]))


class ChatGLM2Attention(nn.Module):
    def __init__(self, c: dict[str, Any]) -> None:
        super().__init__()
        self.size, self.base = c["kv_channels"], 10000.0 * c.get("rope_ratio", 1)
        self.cuts = [c["num_attention_heads"] * self.size, *[c["multi_query_group_num"] * self.size] * 2]
        self.query_key_value = nn.Linear(c["hidden_size"], sum(self.cuts), bias=c["add_qkv_bias"])
        self.dense = nn.Linear(self.cuts[0], c["hidden_size"], bias=False)

    def forward(self, x: Tensor) -> Tensor:
        parts = self.query_key_value(x).split(self.cuts, -1)
        q, k, v = (part.unflatten(-1, (-1, self.size)).transpose(0, 1) for part in parts)
        return self.dense(attend(self.turn(q), self.turn(k), v))

    def turn(self, x: Tensor) -> Tensor:
        """Rotate neighbours against each other in the first half of a head; the second half stays."""
        turned, still = x.chunk(2, -1)
        a = angles(x.shape[1], turned.shape[-1], self.base)
        even, odd = turned[..., 0::2], turned[..., 1::2]
        pairs = torch.stack([even * a.cos() - odd * a.sin(), odd * a.cos() + even * a.sin()], -1)
        return torch.cat([pairs.flatten(-2), still], -1)


class ChatGLM2MLP(nn.Module):
    def __init__(self, c: dict[str, Any]) -> None:
        super().__init__()
        self.dense_h_to_4h = nn.Linear(c["hidden_size"], 2 * c["ffn_hidden_size"], bias=False)
        self.dense_4h_to_h = nn.Linear(c["ffn_hidden_size"], c["hidden_size"], bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.dense_h_to_4h(x).chunk(2, -1)
        return self.dense_4h_to_h(nn.functional.silu(gate) * up)


class ChatGLM2Layer(nn.Module):
    def __init__(self, c: dict[str, Any]) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(c["hidden_size"], c["layernorm_epsilon"])
        self.self_attention = ChatGLM2Attention(c)
        self.post_attention_layernorm = RMSNorm(c["hidden_size"], c["layernorm_epsilon"])
        self.mlp = ChatGLM2MLP(c)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_attention(self.input_layernorm(x))
        return x + self.mlp(self.post_attention_layernorm(x))


class RotaryFrequencies(nn.Module):
    """Stored in the checkpoint, although they follow from the config."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("inv_freq", 10000.0 ** (-torch.arange(0, size, 2).float() / size))


class ChatGLM2(nn.Module):
    """Norms in front of each branch and at the end; groups of heads share keys and values."""

    def __init__(self, c: dict[str, Any]) -> None:
        super().__init__()
        layers = nn.ModuleList(ChatGLM2Layer(c) for _ in range(c["num_layers"]))
        encoder = {"layers": layers, "final_layernorm": RMSNorm(c["hidden_size"], c["layernorm_epsilon"])}
        embedding = nn.ModuleDict({"word_embeddings": nn.Embedding(c["padded_vocab_size"], c["hidden_size"])})
        self.transformer = nn.ModuleDict(
            {
                "embedding": embedding,
                "rotary_pos_emb": RotaryFrequencies(c["kv_channels"] // 2),
                "encoder": nn.ModuleDict(encoder),
                "output_layer": nn.Linear(c["hidden_size"], c["padded_vocab_size"], bias=False),
            }
        )

    def forward(self, ids: Tensor) -> Tensor:
        x = self.transformer["embedding"]["word_embeddings"](ids)
        for layer in self.transformer["encoder"]["layers"]:
            x = layer(x)
        return self.transformer["output_layer"](self.transformer["encoder"]["final_layernorm"](x))
