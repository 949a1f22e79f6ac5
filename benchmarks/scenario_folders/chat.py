"""Scenarios around one 8B model, or two: Azure's traces, growth, a burst, spot, break-even with an API.

In: parts. Out: folders. The SLOs are what users of such products expect and were fixed before anything was run: a
chat begins to answer within 3 s and writes at least seven tokens a second, a completion of code begins within 5 s and
is there within 20 s, for 99 of 100 requests.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from scenario_folders.parts import Folder, Manifest, Model, Way, deployment, pool, profile

LLAMA_8B = "meta-llama/Llama-3.1-8B-Instruct"
LLAMA_3B = "meta-llama/Llama-3.2-3B-Instruct"
CHAT = {"ttft": {"p99": "3s"}, "tpot": {"p99": "150ms"}}
CODE = {"ttft": {"p99": "5s"}, "e2e": {"p99": "20s"}}
GPU = {"nvidia.com/gpu": "1", "cpu": "3"}
CONV_TRACE, CODE_TRACE = "AzureLLMInferenceTrace_conv.csv", "AzureLLMInferenceTrace_code.csv"
H100, L4, XEON = "llama-3.1-8b-bf16-vllm-h100-sxm", "llama-3.1-8b-fp8-vllm-l4", "llama-3.1-8b-int8-vllm-xeon-4-amx"


def three_pools() -> list[Manifest]:
    """H100, L4 and Xeon at list prices."""
    return [
        pool("gpu-h100-p5-single", "gpu-h100", most=20),
        pool("gpu-l4-g6", "gpu-l4", most=60),
        pool("cpu-xeon-4-c7i", "cpu-xeon", most=20),
    ]


def three_ways() -> list[Way]:
    return [
        Way("h100", "gpu-h100", H100, GPU, 20),
        Way("l4", "gpu-l4", L4, GPU, 60),
        Way("xeon", "cpu-xeon", XEON, {"cpu": "94"}, 20),
    ]


def chat_8b(name: str = "chat", slo: Mapping[str, Mapping[str, str]] = CHAT, **fields: Any) -> Model:
    return Model(name, LLAMA_8B, slo, fields.pop("ways", three_ways()), **fields)


def written(name: str, scenario: Mapping[str, Any], objects: Sequence[Manifest], *models: Model) -> Folder:
    """The folder of these objects and models."""
    return Folder(name, scenario, [*objects, *map(deployment, models)])


def folders() -> list[Folder]:
    profiles = [profile(one) for one in (H100, L4, XEON)]
    return [
        _azure_hour("azure-conv", CONV_TRACE, "chat", CHAT, profiles),
        _azure_hour("azure-code", CODE_TRACE, "code", CODE, profiles),
        _azure_week(profiles),
        _homogeneous(),
        _burst(),
        _spot_storm(profiles),
        *(_growth(users, profiles) for users in (1, 3, 10)),
        *(_break_even(percent, profiles) for percent in (25, 100, 400)),
    ]


def _azure_hour(name: str, trace: str, model: str, slo: Any, profiles: list[Manifest]) -> Folder:
    scenario = {
        "description": "One hour of the Azure LLM inference trace of 2023, every request as it came: one 8B "
        "model on H100, L4 "
        "or Xeon AMX at list prices.",
        "hours": 1,
        "demand": [{"deployment": model, "requests": {"file": trace}}],
    }
    return written(name, scenario, [*three_pools(), *profiles], chat_8b(model, slo))


def _azure_week(profiles: list[Manifest]) -> Folder:
    scenario = {
        # A week takes hours to play on two cores under a dozen policies; this is its third day.
        "description": "The third day of a week of Azure's 2024 traces, a twentieth of its rate, with token lengths of "
        "2023: conversation and code as two 8B models on the same pools.",
        "hours": 24,
        "demand": [
            {
                "deployment": name,
                "shape": {
                    "file": f"azure2024_{kind}_rpm_10min_digitised.csv",
                    "scale": 0.05,
                    "begin": "48h",
                    "lengths": {"trace": trace},
                    "arrivals": {"pattern": "Gamma", "cv": cv},
                },
            }
            # Coefficients of variation of intervals in the traces of 2023, within minutes.
            for name, kind, trace, cv in (("chat", "conv", CONV_TRACE, 1.1), ("code", "code", CODE_TRACE, 2.0))
        ],
    }
    return written("azure-week", scenario, [*three_pools(), *profiles], chat_8b(), chat_8b("code", CODE))


def _homogeneous() -> Folder:
    scenario = {
        "description": "One 8B model on one type of GPU, from the peak of a day to its trough: nothing "
        "to choose but how many.",
        "hours": 12,
        "demand": [
            {
                "deployment": "chat",
                "generated": {
                    "meanRps": 6,
                    "dailyAmplitude": 0.7,
                    "peakAt": "0h",
                    "lengths": {"promptMean": 512, "promptP95": 1500, "outputMean": 200, "outputP95": 500},
                    "arrivals": {"pattern": "Gamma", "cv": 1.3},
                },
            }
        ],
    }
    way = Way("l4", "gpu-l4", L4, GPU, 60)
    return written("homogeneous", scenario, [pool("gpu-l4-g6", "gpu-l4", most=60), profile(L4)], chat_8b(ways=[way]))


def _burst() -> Folder:
    scenario = {
        "description": "Five times the demand within a minute, three times in two hours and for twenty "
        "minutes each, where a "
        "GPU node boots in six minutes; two Xeon nodes are there and paid for.",
        "hours": 2,
        "demand": [
            {
                "deployment": "assist",
                "generated": {
                    "meanRps": 2,
                    "bursts": [
                        {"begin": begin, "lasts": "20m", "ramp": "1m", "factor": 5} for begin in ("20m", "55m", "90m")
                    ],
                    "lengths": {"promptMean": 512, "promptP95": 1500, "outputMean": 150, "outputP95": 400},
                },
            }
        ],
    }
    ways = [
        Way("h100", "gpu-h100", "llama-3.2-3b-bf16-vllm-h100-sxm", GPU, 20),
        Way("l4", "gpu-l4", "llama-3.2-3b-bf16-vllm-l4", GPU, 60),
        Way("xeon", "cpu-paid", "llama-3.2-3b-int8-vllm-xeon-4-amx", {"cpu": "94"}, 4),
    ]
    objects = [
        pool("gpu-h100-p5-single", "gpu-h100", most=20, provisioningTime="6m"),
        pool("gpu-l4-g6", "gpu-l4", most=60, provisioningTime="6m"),
        pool("cpu-xeon-4-paid", "cpu-paid", most=2),
        *(profile(way.profile) for way in ways),
    ]
    return written("burst", scenario, objects, Model("assist", LLAMA_3B, CHAT, ways))


def _spot_storm(profiles: list[Manifest]) -> Folder:
    scenario = {
        "description": "L4 on spot and on demand: spot nodes live two hours on average, twice half of them "
        "go at once, and "
        "spot has none to give for twenty minutes each time.",
        "hours": 5,
        "demand": [
            {
                "deployment": "chat",
                "generated": {
                    "meanRps": 8,
                    "lengths": {"trace": CONV_TRACE},
                    "arrivals": {"pattern": "Gamma", "cv": 1.3},
                },
            }
        ],
        "cluster": {
            "pools": {
                "gpu-l4-spot": {
                    "interruptions": [{"at": at, "share": 0.5} for at in ("90m", "240m")],
                    "stockOuts": [{"begin": begin, "lasts": "20m"} for begin in ("90m", "240m")],
                }
            }
        },
    }
    spot = pool("gpu-l4-g6-spot", "gpu-l4-spot", most=60, interruptionsPerHour=0.5)
    ways = [*three_ways(), Way("l4-spot", "gpu-l4-spot", L4, GPU, 60)]
    return written("spot-storm", scenario, [*three_pools(), spot, *profiles], chat_8b(ways=ways))


def _growth(users: int, profiles: list[Manifest]) -> Folder:
    scenario = {
        "description": f"The same users, {users} times as many: what a million tokens costs must not rise.",
        "hours": 3,
        "demand": [
            {
                "deployment": "chat",
                "generated": {
                    "meanRps": 1.5 * users,
                    "dailyAmplitude": 0.5,
                    "peakAt": "2h",
                    "lengths": {"trace": CONV_TRACE},
                },
            }
        ],
    }
    return written(f"growth-x{users}", scenario, [*three_pools(), *profiles], chat_8b())


def _break_even(percent: int, profiles: list[Manifest]) -> Folder:
    # 0.15 and 0.60 USD for a million tokens: conversations of 1155 and 211 tokens cost 0.30 USD a thousand, and 2250
    # USD a month is 7.5 million of them, 2.9 a second.
    scenario = {
        "description": f"A customers' chatbot at {percent}% of the traffic that costs 2250 USD a month at an "
        f"API's price.",
        "hours": 12,
        "demand": [
            {
                "deployment": "chat",
                "generated": {
                    "meanRps": round(2.9 * percent / 100, 4),
                    "dailyAmplitude": 0.8,
                    "peakAt": "0h",
                    "lengths": {"trace": CONV_TRACE},
                },
            }
        ],
    }
    model = chat_8b(external_api={"inputPerMillion": "0.15", "outputPerMillion": "0.60"})
    return written(f"api-break-even-{percent}", scenario, [*three_pools(), *profiles], model)
