"""How is the past arrival rate of everything that one engine serves asked for in one range query?

In: a row of `dialects`, the window and the names of the labels that the scrape configuration adds. Out: PromQL with the
parts that `queries` asks for at each tick, but summed over the pods of a workload: in two weeks there are many pods.
The workload is read from the pod's name, as Kubernetes makes it of the owner's. Pure. Design section 4.
"""

from plimsoll.observe.dialects import Dialect, Series
from plimsoll.observe.queries import Labels, Signal, union

WORKLOAD_LABEL = "plimsoll_workload"

_OWN = "[bcdfghjklmnpqrstvwxz2456789]"
"""Letters of the random parts of names: k8s.io/apimachinery/pkg/util/rand (String, SafeEncodeString)."""

_POD_NAME = f"(.+?)(-{_OWN}{{1,10}}-{_OWN}{{5}}|-[0-9]+)?"
"""A Deployment's pod has its ReplicaSet's hash and five letters behind the name, a StatefulSet's a number. Others keep
their whole name, of which attribution finds the workload."""


def history_query(dialect: Dialect, labels: Labels, window_s: float, *, tokens: bool) -> str | None:
    """Rates, requests in flight, perhaps tokens, by workload and model; None where the engine counts no requests."""
    if not dialect.requests:
        return None
    ask = _Ask(dialect, labels, f"{round(window_s * 1000)}ms")
    prompts = dialect.requests if dialect.prompt_tokens_total else ()
    outputs = dialect.requests if dialect.output_tokens_total else ()
    parts = [
        (Signal.REQUEST_RATE, ask.rate(dialect.requests)),
        (Signal.SCRAPES, ask.by("max", dialect.heartbeat, f"count_over_time({{}}[{ask.window}])")),
        (Signal.RUNNING, ask.by("sum", dialect.running, "{}")),
        (Signal.WAITING, ask.by("sum", dialect.waiting, "{}")),
    ]
    parts += (
        [
            (Signal.PROMPT_TOKENS_RATE, ask.rate(dialect.prompt_tokens, "_sum", dialect.prompt_tokens_total)),
            (Signal.PROMPTS_RATE, ask.rate(dialect.prompt_tokens, "_count", prompts)),
            (Signal.OUTPUT_TOKENS_RATE, ask.rate(dialect.output_tokens, "_sum", dialect.output_tokens_total)),
            (Signal.OUTPUTS_RATE, ask.rate(dialect.output_tokens, "_count", outputs)),
        ]
        if tokens
        else []
    )
    return union((signal, text) for signal, text in parts if text)


class _Ask:
    def __init__(self, dialect: Dialect, labels: Labels, window: str) -> None:
        self.window = window
        self._pod = labels.pod if dialect.per_pod else None
        workload = (WORKLOAD_LABEL,) if dialect.per_pod else ()
        model = (dialect.model_label,) if dialect.model_label else ()
        self._by = ", ".join((labels.namespace, *workload, *model))

    def by(self, aggregate: str, series: tuple[Series, ...], template: str, suffix: str = "") -> str | None:
        if not series:
            return None
        each = " or ".join(template.format(one.selector(suffix)) for one in series)
        if self._pod is not None:
            each = f'label_replace({each}, "{WORKLOAD_LABEL}", "$1", "{self._pod}", "{_POD_NAME}")'
        return f"{aggregate} by ({self._by}) ({each})"

    def rate(self, series: tuple[Series, ...], suffix: str = "", counters: tuple[Series, ...] = ()) -> str | None:
        template = f"rate({{}}[{self.window}])"
        asked = [
            text for text in (self.by("sum", series, template, suffix), self.by("sum", counters, template)) if text
        ]
        return " or ".join(asked) or None
