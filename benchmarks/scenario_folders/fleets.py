"""Scenarios with many models: a mixed fleet, a long tail of specialised models, a swarm of small nodes.

In: parts. Out: folders. Demand is that of ServeGen's clients, each model some of them or one; `scale` brings a
provider's traffic down to a platform team's.
"""

from scenario_folders.chat import GPU, LLAMA_3B, LLAMA_8B, written
from scenario_folders.parts import Folder, Manifest, Model, Way, pool, profile, slice_of

LLAMA_1B, LLAMA_70B = "meta-llama/Llama-3.2-1B-Instruct", "meta-llama/Llama-3.3-70B-Instruct"
QUICK = {"ttft": {"p99": "2s"}, "tpot": {"p99": "100ms"}}
CHAT = {"ttft": {"p99": "3s"}, "tpot": {"p99": "150ms"}}
RELAXED = {"ttft": {"p99": "6s"}, "tpot": {"p99": "300ms"}}
BATCH = {"e2e": {"p99": "120s"}}
SMALL, LARGE = "servegen_m-large", "servegen_deepseek-r1"
KIB_A_TOKEN = {"1b": 32.0, "3b": 112.0}
"""Of KV cache in bf16: 16 layers x 8 heads x 64 x 2 x 2 bytes, and 28 x 8 x 128 x 2 x 2."""
SMALL_CLIENTS = sorted({*range(162)} - {15, 21, 41, 44, 66, 72, 73, 82, 89, 100, 112, 120, 142, 148, 156})
"""Those of which the data tell both rates and lengths."""
TAIL = 200


def folders() -> list[Folder]:
    return [_mixed_fleet(), _long_tail(), _commodity_swarm()]


def _mixed_fleet() -> Folder:
    small_1b = [
        Way("l4", "gpu-l4", "llama-3.2-1b-bf16-vllm-l4", GPU, 20),
        Way("l4-spot", "gpu-l4-spot", "llama-3.2-1b-bf16-vllm-l4", GPU, 20),
        Way("xeon", "cpu-xeon", "llama-3.2-1b-int8-vllm-xeon-4-amx", {"cpu": "94"}, 10),
        Way("epyc", "cpu-epyc", "llama-3.2-1b-q4-k-m-llamacpp-epyc-genoa", {"cpu": "94"}, 10),
        Way("graviton", "cpu-graviton", "llama-3.2-1b-q4-k-m-llamacpp-graviton4", {"cpu": "94"}, 10),
    ]
    small_3b = [
        Way("l4", "gpu-l4", "llama-3.2-3b-bf16-vllm-l4", GPU, 20),
        Way("l4-spot", "gpu-l4-spot", "llama-3.2-3b-bf16-vllm-l4", GPU, 20),
        Way("h100", "gpu-h100", "llama-3.2-3b-bf16-vllm-h100-sxm", GPU, 16),
        Way("xeon", "cpu-xeon", "llama-3.2-3b-int8-vllm-xeon-4-amx", {"cpu": "94"}, 10),
        Way("graviton", "cpu-graviton", "llama-3.2-3b-q4-k-m-llamacpp-graviton4", {"cpu": "94"}, 10),
    ]
    middle = [
        Way("h100", "gpu-h100", "llama-3.1-8b-fp8-vllm-h100-sxm", GPU, 16),
        Way("l4", "gpu-l4", "llama-3.1-8b-fp8-vllm-l4", GPU, 40),
        Way("l4-int4", "gpu-l4", "llama-3.1-8b-int4-vllm-l4", GPU, 40),
        Way("l4-spot", "gpu-l4-spot", "llama-3.1-8b-fp8-vllm-l4", GPU, 40),
        Way("gaudi2", "gpu-gaudi2", "llama-3.1-8b-bf16-vllm-gaudi2", {"habana.ai/gaudi": "1", "cpu": "8"}, 8),
        Way("mi300x", "gpu-mi300x", "llama-3.1-8b-bf16-vllm-mi300x", {"amd.com/gpu": "1", "cpu": "8"}, 8),
    ]
    big = [
        Way("h100-x2", "gpu-h100", "llama-3.3-70b-fp8-trtllm-h100-sxm-x2", {"nvidia.com/gpu": "2", "cpu": "16"}, 8),
        Way("h100-int4", "gpu-h100", "llama-3.3-70b-int4-vllm-h100-sxm", {"nvidia.com/gpu": "1", "cpu": "8"}, 16),
    ]
    models = [
        Model("tags", LLAMA_1B, CHAT, small_1b, priority=50),
        Model("spam", LLAMA_1B, RELAXED, small_1b, priority=50),
        Model("rewrite", LLAMA_1B, QUICK, small_1b),
        Model("titles", LLAMA_3B, CHAT, small_3b, priority=50),
        Model("mail", LLAMA_3B, RELAXED, small_3b),
        Model("search", LLAMA_3B, QUICK, small_3b, priority=200),
        Model("chat", LLAMA_8B, CHAT, middle, priority=200),
        Model("support", LLAMA_8B, CHAT, middle),
        Model("code", LLAMA_8B, QUICK, middle),
        Model("reports", LLAMA_8B, BATCH, middle, priority=20),
        Model("expert", LLAMA_70B, CHAT, big, priority=200),
        Model("legal", LLAMA_70B, RELAXED, big),
    ]
    # Clients 0 to 39 of one provider's model by turns; those of a reasoning model for the 70B.
    sources = [
        {"deployment": model.name, "clients": {"file": SMALL, "clients": SMALL_CLIENTS[turn:40:10], "scale": 0.3}}
        for turn, model in enumerate(models[:10])
    ] + [
        {"deployment": model.name, "clients": {"file": LARGE, "clients": [*range(turn, 12, 2)], "scale": 0.5}}
        for turn, model in enumerate(models[10:])
    ]
    scenario = {
        "description": "Twelve models of 1B to 70B on eight kinds of nodes, on demand, spot and paid for, over half a "
        "day of ServeGen's clients.",
        "hours": 12,
        "demand": sources,
    }
    pools = [
        # Two H100 of one replica must be in one node.
        pool("gpu-h100-p5", "gpu-h100", most=4),
        pool("gpu-l4-g6", "gpu-l4", most=80),
        pool("gpu-l4-g6-spot", "gpu-l4-spot", most=80, interruptionsPerHour=0.05),
        pool("gpu-gaudi2-owned", "gpu-gaudi2", most=1),
        pool("gpu-mi300x-nd", "gpu-mi300x", most=2),
        pool("cpu-xeon-4-c7i", "cpu-xeon", most=10),
        pool("cpu-epyc-4-c7a", "cpu-epyc", most=10),
        pool("cpu-graviton4-c8g", "cpu-graviton", most=10),
    ]

    return written("mixed-fleet", scenario, [*pools, *_profiles(models)], *models)


def _long_tail() -> Folder:
    """Small models with little traffic each: a whole GPU for each, or a share of one, or a few cores."""
    shared = [
        slice_of("llama-3.2-1b-bf16-vllm-l4", "1b-l4-quarter", 4, 2.3, 6.0, KIB_A_TOKEN["1b"]),
        slice_of("llama-3.2-3b-bf16-vllm-l4", "3b-l4-half", 2, 6.0, 12.0, KIB_A_TOKEN["3b"]),
        slice_of("llama-3.2-1b-bf16-vllm-h100-sxm", "1b-h100-mig", 7, 2.3, 10.0, KIB_A_TOKEN["1b"]),
        slice_of("llama-3.2-3b-bf16-vllm-h100-sxm", "3b-h100-mig", 7, 6.0, 10.0, KIB_A_TOKEN["3b"]),
    ]
    one_b = [
        Way("l4", "gpu-l4", "llama-3.2-1b-bf16-vllm-l4", GPU, 4),
        Way("l4-shared", "gpu-l4-shared", "1b-l4-quarter", {"nvidia.com/gpu.shared": "1", "cpu": "500m"}, 8),
        Way("mig", "gpu-h100-mig", "1b-h100-mig", {"nvidia.com/mig-1g.10gb": "1", "cpu": "1"}, 8),
        Way("xeon-4c", "cpu-xeon-4c", "llama-3.2-1b-int8-vllm-xeon-4-amx-4c", {"cpu": "7500m"}, 8),
        Way("graviton", "cpu-graviton", "llama-3.2-1b-q4-k-m-llamacpp-graviton3-16c", {"cpu": "15500m"}, 8),
    ]
    three_b = [
        Way("l4", "gpu-l4", "llama-3.2-3b-bf16-vllm-l4", GPU, 4),
        Way("l4-shared", "gpu-l4-shared", "3b-l4-half", {"nvidia.com/gpu.shared": "2", "cpu": "500m"}, 8),
        Way("mig", "gpu-h100-mig", "3b-h100-mig", {"nvidia.com/mig-1g.10gb": "1", "cpu": "1"}, 8),
        Way("xeon-8c", "cpu-xeon-8c", "llama-3.2-3b-int8-vllm-xeon-4-amx-8c", {"cpu": "15"}, 8),
    ]
    models = [
        Model(
            f"tail-{number:03}", LLAMA_3B if number % 4 == 0 else LLAMA_1B, CHAT, three_b if number % 4 == 0 else one_b
        )
        for number in range(TAIL)
    ]
    sources = [
        {
            "deployment": model.name,
            "clients": {"file": SMALL, "clients": [SMALL_CLIENTS[number]], "scale": 0.02}
            if number < 140
            else {"file": LARGE, "clients": [number - 140], "scale": 0.1},
        }
        for number, model in enumerate(models)
    ]
    scenario = {
        "description": "200 specialised models of 1B and 3B, each with the traffic of one client of ServeGen.",
        "hours": 2,
        "demand": sources,
    }
    pools = [
        pool("gpu-l4-g6", "gpu-l4", most=300),
        pool(
            "gpu-l4-g6",
            "gpu-l4-shared",
            most=150,
            resources={"cpu": "3500m", "memory": "13Gi", "nvidia.com/gpu.shared": "4"},
            nodeSelector={"node.kubernetes.io/instance-type": "g6.xlarge", "nvidia.com/gpu.replicas": "4"},
        ),
        pool(
            "gpu-h100-p5-single",
            "gpu-h100-mig",
            most=40,
            resources={"cpu": "15", "memory": "230Gi", "nvidia.com/mig-1g.10gb": "7"},
            nodeSelector={"nvidia.com/mig.strategy": "single"},
        ),
        pool("cpu-xeon-4-4c-slices-c7i", "cpu-xeon-4c", most=100),
        pool("cpu-xeon-4-8c-slices-c7i", "cpu-xeon-8c", most=100),
        pool("cpu-graviton3-16c-slices-c7g", "cpu-graviton", most=100),
    ]
    plain = _profiles(models, known={one["metadata"]["name"] for one in shared})
    return written("long-tail", scenario, [*pools, *shared, *plain], *models)


def _commodity_swarm() -> Folder:
    """Nodes that are there anyway: half a socket of Xeon each, or sixteen cores of Graviton."""
    one_b = [
        Way("h100", "gpu-h100", "llama-3.2-1b-bf16-vllm-h100-sxm", GPU, 10),
        Way("xeon-8c", "swarm-xeon", "llama-3.2-1b-int8-vllm-xeon-4-amx-8c", {"cpu": "14"}, 120),
        Way("graviton", "swarm-graviton", "llama-3.2-1b-q4-k-m-llamacpp-graviton3-16c", {"cpu": "14"}, 80),
    ]
    three_b = [
        Way("h100", "gpu-h100", "llama-3.2-3b-bf16-vllm-h100-sxm", GPU, 10),
        Way("xeon-8c", "swarm-xeon", "llama-3.2-3b-int8-vllm-xeon-4-amx-8c", {"cpu": "14"}, 120),
        Way("graviton", "swarm-graviton", "llama-3.2-3b-q4-k-m-llamacpp-graviton3-16c", {"cpu": "14"}, 80),
    ]
    models = [
        Model("tags", LLAMA_1B, CHAT, one_b),
        Model("titles", LLAMA_1B, RELAXED, one_b),
        Model("mail", LLAMA_3B, RELAXED, three_b),
        Model("search", LLAMA_3B, CHAT, three_b, priority=200),
    ]
    scenario = {
        "description": "120 x86 and 80 Arm nodes of 16 cores or vCPU that are there and paid for, and an H100 pool.",
        "hours": 4,
        "demand": [
            {
                "deployment": name,
                "generated": {
                    "meanRps": rps,
                    "dailyAmplitude": 0.5,
                    "peakAt": "2h",
                    "lengths": {"promptMean": 300, "promptP95": 900, "outputMean": 100, "outputP95": 250},
                },
            }
            for name, rps in (("tags", 6), ("titles", 6), ("mail", 1), ("search", 4))
        ],
    }
    small = {"cpu": "15", "memory": "28Gi"}
    pools = [
        pool("gpu-h100-p5-single", "gpu-h100", most=10),
        pool("cpu-xeon-4-paid", "swarm-xeon", most=120, resources=small, hardware="xeon-4-amx-8c"),
        pool("cpu-xeon-4-paid", "swarm-graviton", most=80, resources=small, hardware="graviton3-16c"),
    ]
    pools[1]["spec"]["price"] = {"paid": {"amortisedPerHour": "0.2856"}}
    pools[2]["spec"]["price"] = {"paid": {"amortisedPerHour": "0.2320"}}
    for one in pools[1:]:
        one["spec"]["nodeSelector"] = {"example.com/pool": one["metadata"]["name"]}
    return written("commodity-swarm", scenario, [*pools, *_profiles(models)], *models)


def _profiles(models: list[Model], known: frozenset[str] | set[str] = frozenset()) -> list[Manifest]:
    names = {way.profile for model in models for way in model.ways} - set(known)
    return [profile(name) for name in sorted(names)]
