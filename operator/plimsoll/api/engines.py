"""The serving engines and demand sources that the API knows by name."""

from enum import StrEnum


class Engine(StrEnum):
    """What serves the model, or for `demand` what counts its requests; one spelling for all kinds."""

    VLLM = "vLLM"
    SGLANG = "SGLang"
    TGI = "TGI"
    TENSORRT_LLM = "TensorRTLLM"
    LLAMA_CPP = "LlamaCpp"
    OPENVINO = "OpenVINO"
    GATEWAY = "Gateway"
    CUSTOM = "Custom"
