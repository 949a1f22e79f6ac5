"""Which models are in the catalogue, and how large are their weights and their KV cache?

In: nothing. Out: public facts of each model, from the config.json that its authors publish with the weights.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

WEIGHT_BYTES: Mapping[str, float] = MappingProxyType(
    {
        "bf16": 2.0,
        "fp16": 2.0,
        "fp8": 1.0,
        "int8": 1.0,
        "int4": 4.25 / 8,
        "q8_0": 8.5 / 8,
        "q4_0": 4.5 / 8,
        "q4_k_m": 4.85 / 8,
    }
)
"""Bytes of one parameter: GGUF's block formats carry their scales along (llama.cpp, quantize's table of bits per
weight), int4 one scale and zero for 128 weights. What an int8 or fp8 model keeps in 16 bits is a few percent and left
out."""
KV_BYTES_16_BIT, KV_BYTES_8_BIT = 2, 1
"""Of one element of the KV cache."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model as its config.json describes it."""

    slug: str
    name: str
    """As engines and InferenceDeployments spell it."""
    parameters: float
    layers: int
    kv_heads: int
    head_dim: int

    def weight_bytes(self, precision: str) -> float:
        """Read once by every step."""
        return self.parameters * WEIGHT_BYTES[precision]

    def kv_bytes_per_token(self, bytes_per_element: int = KV_BYTES_16_BIT) -> float:
        """A key and a value for every layer and KV head."""
        return 2.0 * self.layers * self.kv_heads * self.head_dim * bytes_per_element


LLAMA_1B = Model("llama-3.2-1b", "meta-llama/Llama-3.2-1B-Instruct", 1.236e9, 16, 8, 64)
LLAMA_3B = Model("llama-3.2-3b", "meta-llama/Llama-3.2-3B-Instruct", 3.213e9, 28, 8, 128)
GPT_J = Model("gpt-j-6b", "EleutherAI/gpt-j-6b", 6.05e9, 28, 16, 256)
LLAMA_3_8B = Model("llama-3-8b", "meta-llama/Meta-Llama-3-8B-Instruct", 8.03e9, 32, 8, 128)
LLAMA_8B = Model("llama-3.1-8b", "meta-llama/Llama-3.1-8B-Instruct", 8.03e9, 32, 8, 128)
LLAMA_13B = Model("llama-2-13b", "meta-llama/Llama-2-13b-chat-hf", 13.02e9, 40, 40, 128)
PHI_4 = Model("phi-4", "microsoft/phi-4", 14.66e9, 40, 10, 128)
LLAMA_2_70B = Model("llama-2-70b", "meta-llama/Llama-2-70b-chat-hf", 68.98e9, 80, 8, 128)
LLAMA_70B = Model("llama-3.3-70b", "meta-llama/Llama-3.3-70B-Instruct", 70.55e9, 80, 8, 128)
