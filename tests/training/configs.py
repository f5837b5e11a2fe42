"""The sizes of the mission's models, as their published config.json files state them."""

from __future__ import annotations

from typing import Any

MINICPM_CONFIG: dict[str, Any] = {
    "model_type": "minicpm",
    "hidden_size": 2304,
    "intermediate_size": 5760,
    "num_hidden_layers": 40,
    "num_attention_heads": 36,
    "num_key_value_heads": 36,
    "vocab_size": 122_753,
}
LLAMA2_7B_CONFIG: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 11_008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "tie_word_embeddings": False,
    "vocab_size": 32_000,
}
CHATGLM2_CONFIG: dict[str, Any] = {
    "model_type": "chatglm",
    "hidden_size": 4096,
    "ffn_hidden_size": 13_696,
    "kv_channels": 128,
    "multi_query_group_num": 2,
    "num_attention_heads": 32,
    "num_layers": 28,
    "padded_vocab_size": 65_024,
    "tie_word_embeddings": False,
}
GPT2_CONFIG: dict[str, Any] = {
    "model_type": "gpt2",
    "n_embd": 768,
    "n_head": 12,
    "n_layer": 12,
    "n_positions": 1024,
    "attn_pdrop": 0.1,
    "vocab_size": 50_257,
}
FLAN_T5_BASE_CONFIG: dict[str, Any] = {
    "model_type": "t5",
    "d_ff": 2048,
    "d_kv": 64,
    "d_model": 768,
    "dropout_rate": 0.1,
    "feed_forward_proj": "gated-gelu",
    "num_decoder_layers": 12,
    "num_heads": 12,
    "num_layers": 12,
    "tie_word_embeddings": False,
    "vocab_size": 32_128,
}
