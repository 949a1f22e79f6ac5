"""On which nodes does each hardware of the catalogue come, and at what price?

In: the price lists. Out: `PoolTemplate`s: nodes of public clouds by their well-known labels at list and spot price, and
nodes that are paid for already. A price that nobody publishes is left out and said to be missing.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import MappingProxyType

from catalogue import hardware as hw
from catalogue.hardware import Machine
from plimsoll.domain import PriceKind

INSTANCE_LABEL = "node.kubernetes.io/instance-type"
LIST_DATE = "2026-02-09"
PAID_SHARE = 0.4
"""Of the list price, for show: an assumption; three-year commitments take up to 66 to 72% off (AWS Savings Plans)."""
_LIST_FILE = f"aws_us_east_1_ondemand_{LIST_DATE}.csv"
_SPOT_FILE = "aws_spot_samples.csv"
_SPOT_REGION = "us-east-1"
_GPU_FAMILIES = ("g", "p")
"""Of AWS's instance types, those with GPUs."""
_MI300X_USD = 48.0
_MI300X_SOURCE = (
    "Azure, $6 a GPU and hour, as told by cliffcenter.com/research/amd-inference-economics on 2026-05-18, which lists"
    " smaller clouds at $1.50 to $1.99"
)


@dataclass(frozen=True, slots=True)
class PoolTemplate:
    """Nodes of one kind at one price."""

    name: str
    title: str
    machine: Machine
    selector: Mapping[str, str]
    price_kind: PriceKind
    usd_per_hour: float | None
    """Of a node; None where nobody publishes one."""
    price_told: str
    """The price in words, with its source and date."""
    devices: float
    """Of the machine's resource that replicas can take on one node."""
    resources: Mapping[str, str]
    provisioning_time: str
    nodes_min: int = 0
    nodes_max: int = 10

    @property
    def price_field(self) -> Mapping[str, object]:
        money = f"{self.usd_per_hour or 0.0:.4f}"
        if self.price_kind is PriceKind.PAID:
            return {"paid": {"amortisedPerHour": money}}
        return {"onDemandPerHour" if self.price_kind is PriceKind.ON_DEMAND else "spotPerHour": money}

    def replicas(self, devices: int = 1) -> int:
        """That fit on a node."""
        return int(self.devices // (devices * self.machine.per_replica))


@dataclass(frozen=True, slots=True)
class _Instance:
    """A cloud's instance type."""

    pool: str
    type: str
    machine: Machine
    devices: float
    cpu: float
    memory_gib: int


_AWS = (
    _Instance("gpu-h100-p5", "p5.48xlarge", hw.H100, 8, 188, 1900),
    _Instance("gpu-h100-p5-single", "p5.4xlarge", hw.H100, 1, 15, 230),
    _Instance("gpu-h200-p5en", "p5en.48xlarge", hw.H200, 8, 188, 1900),
    _Instance("gpu-a100-p4de", "p4de.24xlarge", hw.A100, 8, 92, 1050),
    _Instance("gpu-l4-g6", "g6.xlarge", hw.L4, 1, 3.5, 13),
    _Instance("cpu-xeon-4-c7i", "c7i.48xlarge", hw.XEON_4, 188, 188, 360),
    _Instance("cpu-xeon-4-4c-slices-c7i", "c7i.8xlarge", hw.XEON_4_SLICE, 30, 30, 58),
    _Instance("cpu-xeon-4-8c-slices-c7i", "c7i.8xlarge", hw.XEON_4_HALF_SLICE, 30, 30, 58),
    _Instance("cpu-xeon-6-c8i", "c8i.96xlarge", hw.XEON_6_CLOUD, 380, 380, 720),
    _Instance("cpu-epyc-4-c7a", "c7a.48xlarge", hw.EPYC_4, 188, 188, 360),
    _Instance("cpu-epyc-5-c8a", "c8a.48xlarge", hw.EPYC_5, 188, 188, 360),
    _Instance("cpu-graviton3-c7g", "c7g.16xlarge", hw.GRAVITON_3, 62, 62, 118),
    _Instance("cpu-graviton3-16c-slices-c7g", "c7g.16xlarge", hw.GRAVITON_3_SLICE, 62, 62, 118),
    _Instance("cpu-graviton4-c8g", "c8g.48xlarge", hw.GRAVITON_4, 188, 188, 360),
)
_SPOT = (_Instance("gpu-l4-g6-spot", "g6.4xlarge", hw.L4, 1, 15, 58),)
_OWNED: tuple[tuple[Machine, int, int, Mapping[str, str]], ...] = (
    # machine, how many of it in a node, GiB of the node, labels (Node Feature Discovery and the vendors' own)
    (hw.H100_PCIE, 1, 120, {"nvidia.com/gpu.product": "NVIDIA-H100-PCIe"}),
    (hw.GAUDI2, 8, 900, {"example.com/pool": "gaudi2"}),
    (hw.XEON_6430, 2, 480, {"example.com/pool": "xeon-6430-amx"}),
    (hw.XEON_8480, 2, 480, {"example.com/pool": "xeon-8480-amx"}),
    (hw.XEON_4_VNNI, 2, 480, {"example.com/pool": "xeon-4-vnni"}),
    (hw.XEON_5, 2, 480, {"example.com/pool": "xeon-5-amx"}),
    (hw.XEON_6, 2, 720, {"example.com/pool": "xeon-6-amx"}),
    (hw.EPYC_9554, 1, 180, {"example.com/pool": "epyc-9554"}),
    (hw.NEOVERSE_N2, 1, 240, {"example.com/pool": "neoverse-n2"}),
    (hw.DESKTOP, 1, 58, {"example.com/pool": "desktop-zen4"}),
)
_PAID_FROM_LIST = (("gpu-l4-paid", "gpu-l4-g6"), ("cpu-xeon-4-paid", "cpu-xeon-4-c7i"))
"""Nodes of the list that stand for those under a commitment."""


def templates(folder: Path) -> tuple[PoolTemplate, ...]:
    """All pools, by name."""
    listed = {
        row["instance"]: float(row["usd_per_hour"]) for row in csv.DictReader((folder / _LIST_FILE).open(newline=""))
    }
    aws = {one.pool: _listed(one, listed[one.type]) for one in _AWS}
    paid = [_committed(name, aws[like]) for name, like in _PAID_FROM_LIST]
    return tuple(sorted((*aws.values(), *_spots(folder), *paid, _azure(), *_owned()), key=lambda pool: pool.name))


def _listed(one: _Instance, usd: float) -> PoolTemplate:
    return PoolTemplate(
        name=one.pool,
        title=f"AWS {one.type}, {one.machine.title}",
        machine=one.machine,
        selector={INSTANCE_LABEL: one.type, "karpenter.sh/capacity-type": "on-demand"},
        price_kind=PriceKind.ON_DEMAND,
        usd_per_hour=usd,
        price_told=f"${usd:.4f} an hour, list price of us-east-1 on {LIST_DATE}",
        devices=one.devices,
        resources=_resources(one),
        provisioning_time="4m" if one.machine.is_gpu else "2m",
    )


def _spots(folder: Path) -> Iterator[PoolTemplate]:
    rows = list(csv.DictReader((folder / _SPOT_FILE).open(newline="")))
    for one in _SPOT:
        prices = [float(row["spot"]) for row in rows if row["instance"] == one.type and row["region"] == _SPOT_REGION]
        usd = median(prices)
        yield PoolTemplate(
            name=one.pool,
            title=f"AWS {one.type} spot, {one.machine.title}",
            machine=one.machine,
            selector={INSTANCE_LABEL: one.type, "karpenter.sh/capacity-type": "spot"},
            price_kind=PriceKind.SPOT,
            usd_per_hour=usd,
            price_told=f"${usd:.4f} an hour, median of {len(prices)} spot samples in {_SPOT_REGION} (undated)",
            devices=one.devices,
            resources=_resources(one),
            provisioning_time="4m",
        )


def cpu_spot_shares(folder: Path) -> tuple[str, ...]:
    """Spot over list price of the CPU nodes that have a sample, none of which is in the catalogue; told one by one."""
    rows = csv.DictReader((folder / _SPOT_FILE).open(newline=""))
    return tuple(
        f"{row['instance']} in {row['region']} {float(row['spot']) / float(row['ondemand']):.0%}"
        for row in rows
        if not any(row["instance"] == one.type for one in _SPOT) and not row["instance"].startswith(_GPU_FAMILIES)
    )


def _committed(name: str, listed: PoolTemplate) -> PoolTemplate:
    assert listed.usd_per_hour is not None, "made from the list"
    usd = PAID_SHARE * listed.usd_per_hour
    return PoolTemplate(
        name=name,
        title=f"{listed.machine.title}, already paid for",
        machine=listed.machine,
        selector={"example.com/pool": name},
        price_kind=PriceKind.PAID,
        usd_per_hour=usd,
        price_told=f"nothing more to use; ${usd:.4f} an hour for show, {PAID_SHARE:.0%} of list, an assumption",
        devices=listed.devices,
        resources=listed.resources,
        provisioning_time="0s",
        nodes_min=2,
        nodes_max=2,
    )


def _azure() -> PoolTemplate:
    return PoolTemplate(
        name="gpu-mi300x-nd",
        title=f"Azure ND96isr MI300X v5, 8 x {hw.MI300X.title}",
        machine=hw.MI300X,
        selector={INSTANCE_LABEL: "Standard_ND96isr_MI300X_v5"},
        price_kind=PriceKind.ON_DEMAND,
        usd_per_hour=_MI300X_USD,
        price_told=f"${_MI300X_USD:.2f} an hour: {_MI300X_SOURCE}",
        devices=8,
        resources={"cpu": "92", "memory": "1700Gi", hw.MI300X.resource: "8"},
        provisioning_time="10m",
    )


def _owned() -> Iterator[PoolTemplate]:
    for machine, count, memory_gib, selector in _OWNED:
        devices = count * machine.per_replica
        cpu = 16.0 * count if machine.is_gpu else devices
        yield PoolTemplate(
            name=f"{'gpu' if machine.is_gpu else 'cpu'}-{machine.name}-owned",
            title=f"{machine.title}, {count} in a node, already paid for",
            machine=machine,
            selector=MappingProxyType(dict(selector)),
            price_kind=PriceKind.PAID,
            usd_per_hour=None,
            price_told="nothing more to use; no public price found, so amortisedPerHour is 0: put in what you paid",
            devices=devices,
            resources={
                "cpu": f"{cpu:g}",
                "memory": f"{memory_gib}Gi",
                **({machine.resource: f"{count}"} if machine.is_gpu else {}),
            },
            provisioning_time="0s",
            nodes_min=1,
            nodes_max=1,
        )


def _resources(one: _Instance) -> Mapping[str, str]:
    gpu = {one.machine.resource: f"{one.devices:g}"} if one.machine.is_gpu else {}
    return {"cpu": f"{one.cpu * 1000:.0f}m", "memory": f"{one.memory_gib}Gi", **gpu}
