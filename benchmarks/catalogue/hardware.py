"""What does each machine of the catalogue offer on paper? The figures that profiles are scaled by.

In: nothing. Out: memory, bandwidth and arithmetic of one device: a GPU, or the part of a CPU node that one replica
takes. All from data sheets. Peaks of CPUs are instructions a cycle (Intel: AMX 2,048 int8 and 1,024 bf16 operations a
core, AVX512-VNNI 256; Zen 4: 256-bit datapaths, 128, Zen 5: 256; Arm i8mm: 64 a 128-bit pipe, of which Neoverse N2 has
two, V1 and V2 four) times cores times a clock under vector load, which is a guess within 15%. Only ratios of
them are used, between machines of like design.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

GPU = "nvidia.com/gpu"
CPU_PEAK_AS = MappingProxyType({"q8_0": "int8", "q4_0": "int8", "q4_k_m": "int8"})
"""llama.cpp multiplies all of its block formats as 8-bit integers."""


@dataclass(frozen=True, slots=True)
class Machine:
    """One device, or one replica's share of a CPU node."""

    name: str
    """As profiles and pools spell it."""
    title: str
    memory_gb: float
    bandwidth_gb_s: float
    peak_tops: Mapping[str, float]
    """10^12 operations a second by number format, without sparsity."""
    resource: str = "cpu"
    per_replica: float = 1.0
    """How much of the resource one replica asks for; GPUs: one times the number of GPUs."""
    is_gpu: bool = field(default=False)

    def peak(self, precision: str) -> float:
        """10^12 operations a second that a model in this format can use; formats without units of their own are
        multiplied as bf16."""
        asked = precision if self.is_gpu else CPU_PEAK_AS.get(precision, precision)
        asked = "bf16" if asked == "fp16" else asked
        return self.peak_tops.get(asked, self.peak_tops["bf16"])

    def slice_of(self, name: str, title: str, share: float, per_replica: float) -> "Machine":
        """A fair share of it: neighbours use theirs."""
        return replace(
            self,
            name=name,
            title=title,
            memory_gb=self.memory_gb * share,
            bandwidth_gb_s=self.bandwidth_gb_s * share,
            peak_tops=MappingProxyType({form: peak * share for form, peak in self.peak_tops.items()}),
            per_replica=per_replica,
        )


def _gpu(name: str, title: str, memory: float, bandwidth: float, resource: str = GPU, **peaks: float) -> Machine:
    return Machine(name, title, memory, bandwidth, MappingProxyType(peaks), resource, 1.0, True)


def _cpu(name: str, title: str, memory: float, bandwidth: float, cpus: float, **peaks: float) -> Machine:
    return Machine(name, title, memory, bandwidth, MappingProxyType(peaks), "cpu", cpus)


def _tops(cores: int, ghz: float, operations: int) -> float:
    return cores * ghz * operations / 1000.0


H100 = _gpu("h100-sxm", "NVIDIA H100 SXM 80 GB", 80, 3350, bf16=989, fp8=1979, int8=1979)
H100_PCIE = _gpu("h100-pcie", "NVIDIA H100 PCIe 80 GB", 80, 2000, bf16=756, fp8=1513, int8=1513)
H200 = _gpu("h200-sxm", "NVIDIA H200 SXM 141 GB", 141, 4800, bf16=989, fp8=1979, int8=1979)
A100 = _gpu("a100-sxm-80gb", "NVIDIA A100 SXM 80 GB", 80, 2039, bf16=312, int8=624)
L4 = _gpu("l4", "NVIDIA L4 24 GB", 24, 300, bf16=121, fp8=242, int8=242)
MI300X = _gpu("mi300x", "AMD Instinct MI300X 192 GB", 192, 5300, "amd.com/gpu", bf16=1307, fp8=2615, int8=2615)
GAUDI2 = _gpu("gaudi2", "Intel (Habana) Gaudi2 96 GB", 96, 2450, "habana.ai/gaudi", bf16=432, fp8=865)

XEON_4 = _cpu(
    "xeon-4-amx",
    "one socket Xeon 4th generation, 48 cores with AMX, 8 channels DDR5-4800",
    192,
    307,
    94,
    int8=_tops(48, 2.4, 2048),
    bf16=_tops(48, 2.4, 1024),
)
XEON_6430 = _cpu(
    "xeon-6430-amx",
    "one socket Xeon Gold 6430, 32 cores with AMX, 8 channels DDR5-4400",
    256,
    282,
    62,
    int8=_tops(32, 2.4, 2048),
    bf16=_tops(32, 2.4, 1024),
)
XEON_8480 = replace(
    XEON_4,
    name="xeon-8480-amx",
    title="one socket Xeon 4th generation, 56 cores with AMX, 8 channels DDR5-4800",
    per_replica=110.0,
    peak_tops=MappingProxyType({"int8": _tops(56, 2.2, 2048), "bf16": _tops(56, 2.2, 1024)}),
)
"""The usual part of MLPerf's dual-socket systems of that generation; the table does not name it."""
XEON_4_VNNI = _cpu(
    "xeon-4-vnni",
    "one socket Xeon 4th generation, 48 cores, AVX512-VNNI only (AMX not exposed or not built in)",
    192,
    307,
    94,
    int8=_tops(48, 2.6, 256),
    bf16=_tops(48, 2.6, 128),
)
XEON_5 = _cpu(
    "xeon-5-amx",
    "one socket Xeon 5th generation, 64 cores with AMX, 8 channels DDR5-5600",
    256,
    358,
    126,
    int8=_tops(64, 2.2, 2048),
    bf16=_tops(64, 2.2, 1024),
)
XEON_6 = _cpu(
    "xeon-6-amx",
    "one socket Xeon 6980P, 128 cores with AMX, 12 channels MRDIMM-8800",
    384,
    845,
    254,
    int8=_tops(128, 2.2, 2048),
    bf16=_tops(128, 2.2, 1024),
)
XEON_6_CLOUD = _cpu(
    "xeon-6-amx-96c",
    "one socket Xeon 6 as in AWS c8i, 96 cores with AMX, 12 channels DDR5-7200",
    384,
    691,
    190,
    int8=_tops(96, 2.4, 2048),
    bf16=_tops(96, 2.4, 1024),
)
XEON_4_SLICE = XEON_4.slice_of("xeon-4-amx-4c", "four cores of a Xeon 4th generation with AMX (8 vCPU)", 4 / 48, 7.5)
XEON_4_HALF_SLICE = XEON_4.slice_of(
    "xeon-4-amx-8c", "eight cores of a Xeon 4th generation with AMX (16 vCPU)", 8 / 48, 15.0
)
EPYC_9554 = _cpu(
    "epyc-9554",
    "one socket AMD EPYC 9554, 64 cores Zen 4, 12 channels DDR5-4800",
    192,
    461,
    62,
    int8=_tops(64, 3.3, 128),
    bf16=_tops(64, 3.3, 64),
)
EPYC_4 = _cpu(
    "epyc-genoa",
    "one socket AMD EPYC 4th generation as in AWS c7a, 96 cores Zen 4, 12 channels DDR5-4800",
    192,
    461,
    94,
    int8=_tops(96, 3.3, 128),
    bf16=_tops(96, 3.3, 64),
)
EPYC_5 = _cpu(
    "epyc-turin",
    "one socket AMD EPYC 5th generation as in AWS c8a, 96 cores Zen 5, 12 channels DDR5-6000",
    192,
    576,
    94,
    int8=_tops(96, 3.5, 256),
    bf16=_tops(96, 3.5, 128),
)
NEOVERSE_N2 = _cpu(
    "neoverse-n2",
    "64 threads of an Arm Neoverse N2 server, taken to have 8 channels DDR5-4800",
    256,
    307,
    62,
    int8=_tops(64, 3.0, 128),
    bf16=_tops(64, 3.0, 64),
)
GRAVITON_3 = _cpu(
    "graviton3",
    "AWS Graviton3, 64 cores Neoverse V1, 8 channels DDR5-4800",
    128,
    307,
    62,
    int8=_tops(64, 2.6, 256),
    bf16=_tops(64, 2.6, 128),
)
GRAVITON_3_SLICE = GRAVITON_3.slice_of("graviton3-16c", "16 cores of an AWS Graviton3", 16 / 64, 15.5)
GRAVITON_4 = _cpu(
    "graviton4",
    "one socket AWS Graviton4, 96 cores Neoverse V2, 12 channels DDR5-5600",
    192,
    538,
    94,
    int8=_tops(96, 2.8, 256),
    bf16=_tops(96, 2.8, 128),
)
DESKTOP = _cpu(
    "desktop-zen4",
    "a desktop with a Ryzen 9 7950X, 16 cores Zen 4, 2 channels DDR5-5200",
    64,
    83,
    14,
    int8=_tops(16, 4.5, 128),
    bf16=_tops(16, 4.5, 64),
)
