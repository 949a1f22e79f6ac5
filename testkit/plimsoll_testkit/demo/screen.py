"""How is the play shown? A live table on a terminal, a plain line now and then in a pipe."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from plimsoll_testkit.demo.recording import Look, is_marked
from plimsoll_testkit.demo.scenario import in_ms

LINE_EVERY_S = 10.0


class Screen:
    """Shows looks as they come."""

    def __init__(self, console: Console, seconds: float) -> None:
        self._console = console
        self._seconds = seconds
        self._next_line_s = 0.0
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None

    def __enter__(self) -> "Screen":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, look: Look) -> None:
        """The present look."""
        if self._live is not None:
            self._live.update(_picture(look, self._seconds), refresh=True)
        elif look.at_s >= self._next_line_s:
            self._next_line_s = look.at_s + LINE_EVERY_S
            self._console.print(_line(look), soft_wrap=True, highlight=False, markup=False)


def _picture(look: Look, seconds: float) -> Group:
    return Group(
        Text(f"Plimsoll demo  {look.at_s:3.0f} of {seconds:.0f} s", style="bold"),
        _pools(look.pools),
        _models(look),
        Text(f"last step: {look.last_step}", overflow="fold"),
    )


def _pools(pools: Sequence[Mapping[str, Any]]) -> Table:
    table = Table("pool", "nodes", "wanted", "packed", "$/h", "", box=None, padding=(0, 2, 0, 0))
    for pool in sorted(pools, key=lambda one: str(one["metadata"]["name"])):
        status = pool.get("status") or {}
        note = "out of stock" if is_marked(pool) else ""
        figures = [status.get(name, "-") for name in ("nodes", "target", "packing", "costPerHour")]
        table.add_row(pool["metadata"]["name"], *(str(one) for one in figures), Text(note, style="red"))
    return table


def _models(look: Look) -> Table:
    table = Table(
        "model", "req/s", "for", "variant", "ready/\nwanted", "TTFT p95 ms\npred / seen", "TPOT p95 ms\npred / seen",
        "marginal\n$/M tok.", "in SLO",
        box=None, padding=(0, 1, 0, 0),
    )  # fmt: skip
    for deployment in look.deployments:
        name, status = deployment["metadata"]["name"], deployment.get("status") or {}
        users = look.users.get(name, {})
        first = [
            name,
            str((status.get("demand") or {}).get("arrivalRate", "-")),
            str((status.get("forecast") or {}).get("requiredRate", "-")),
        ]
        last = [str((status.get("cost") or {}).get("perMillionTokens", "-")), _share(users)]
        for variant in status.get("variants") or ():
            if not (variant["ready"] or variant["target"] or variant["current"]):
                continue
            counts = f"{variant['ready']}/{variant['target']}"
            table.add_row(*first, variant["name"], counts, _pair(variant, "ttft"), _pair(variant, "tpot"), *last)
            first, last = ["", "", ""], ["", ""]
    return table


def _pair(variant: Mapping[str, Any], metric: str) -> str:
    told = [((variant.get(source) or {}).get(metric) or {}).get("p95") for source in ("predicted", "observed")]
    return " / ".join("-" if one is None else f"{in_ms(one):.{0 if in_ms(one) >= 100.0 else 1}f}" for one in told)


def _share(users: Mapping[str, Any]) -> str:
    judged = users.get("ended", 0) + users.get("late_in_flight", 0)
    return f"{users['within_slo'] / judged:.1%}" if judged else "-"


def _line(look: Look) -> str:
    models = []
    for deployment in look.deployments:
        name, status = deployment["metadata"]["name"], deployment.get("status") or {}
        if not status.get("variants"):
            models.append(f"{name} not planned yet")
            continue
        running = ", ".join(
            f"{one['ready']}/{one['target']} {one['name']}"
            for one in status.get("variants") or ()
            if one["ready"] or one["target"]
        )
        rate = (status.get("demand") or {}).get("arrivalRate", "?")
        models.append(f"{name} {rate} req/s on {running or 'nothing'}, {_share(look.users.get(name, {}))} in SLO")
    nodes = ", ".join(
        f"{(one.get('status') or {}).get('nodes', '?')} {one['metadata']['name']}{' (out of stock)' * is_marked(one)}"
        for one in look.pools
    )
    return f"{look.at_s:4.0f} s  {'; '.join(models)}; nodes: {nodes}"
