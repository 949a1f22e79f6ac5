"""What does ``--if pool.gpu-h100.price=2.10`` mean for the situation at hand?

In: texts as typed, a situation, and the deployment they are about. Out: the situation with all of them, and each as it
was read, with the value it replaces. Names that are not there and values that are none become one sentence that says
what can be written instead.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import partial

from plimsoll.domain import Deployment, ObjectKey, Pool, PriceKind, TokenMix, Variant
from plimsoll.errors import InvalidObject
from plimsoll.what_if.fields import (
    DEPLOYMENT_FIELDS,
    NONE,
    POOL_FIELDS,
    VARIANT_FIELDS,
    Field,
    amount,
    profile_field,
    slo_fields,
    stock_out_field,
    told_amount,
)
from plimsoll.what_if.situation import Situation

_POOL, _DEPLOYMENT, _VARIANT = "pool", "deployment", "variant"
_NEAR = 0.6
"""How alike a name must be to be offered; the default of difflib."""


@dataclass(frozen=True, slots=True)
class Assumption:
    """One thing that is assumed, and what holds at present."""

    path: str
    value: str
    now: str


@dataclass(frozen=True, slots=True)
class _Settable:
    """One path that can be set in a situation."""

    path: str
    unit: str
    now: str
    put: Callable[[Situation, str], Situation]


def assume(
    situation: Situation, texts: Sequence[str], about: ObjectKey | None = None
) -> tuple[Situation, tuple[Assumption, ...]]:
    """The situation with every assumption in it.

    Args:
        situation: as it is.
        texts: each ``PATH=VALUE``; a later one is made on top of the earlier ones.
        about: the deployment that a path without a name is about; none: every path names its object.

    Raises:
        InvalidObject: for a path that cannot be set, or a value that is not of its unit.
    """
    made: list[Assumption] = []
    now = situation
    for text in texts:
        path, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not path:
            raise InvalidObject(f"--if {text} cannot be read: write PATH=VALUE, such as pool.NAME.price=2.10")
        one = _find(now, path, about)
        try:
            now = one.put(now, value)
        except ValueError as error:
            raise InvalidObject(
                f"--if {path}={value}: {value or 'nothing'} is not its unit; write {one.unit}"
            ) from error
        made.append(Assumption(path, value, one.now))
    _refuse_without_effect(now, made)
    return now, tuple(made)


def _refuse_without_effect(situation: Situation, made: Iterable[Assumption]) -> None:
    pools = {pool.name: pool for pool in situation.snapshot.pools}
    for one in made:
        name = one.path.removeprefix(f"{_POOL}.").removesuffix(".price")
        pool = pools.get(name)
        if one.path == f"{_POOL}.{name}.price" and pool is not None and pool.price_kind is PriceKind.PAID:
            raise InvalidObject(
                f"--if {one.path}={one.value}: pool {name} is paid for, so its price decides nothing; add --if "
                f"{_POOL}.{name}.priceKind=OnDemand to ask what would be if it were not"
            )


def _find(situation: Situation, path: str, about: ObjectKey | None) -> _Settable:
    found = next((one for one in _all(situation, about) if one.path == path), None)
    if found is None:
        raise InvalidObject(f"--if {path}: {_why_not(situation, path, [one.path for one in _all(situation, about)])}")
    return found


def _why_not(situation: Situation, path: str, every: Sequence[str]) -> str:
    near = get_close_matches(path, every, n=3, cutoff=_NEAR)
    kind, _, rest = path.partition(".")
    pools = [pool.name for pool in situation.snapshot.pools]
    if kind == _POOL and not any(rest.startswith(f"{name}.") for name in pools):
        told = f"there is no such pool; pools are {', '.join(pools) or 'none'}"
    elif kind == _POOL:
        name = next(name for name in sorted(pools, key=len, reverse=True) if rest.startswith(f"{name}."))
        own = [one.removeprefix(f"{_POOL}.{name}.") for one in every if one.startswith(f"{_POOL}.{name}.")]
        told = f"of a pool can be set: {', '.join(own)}"
    else:
        told = f"cannot be set; what can: {', '.join(_shortened(every))}"
    return f"{told}. Did you mean {' or '.join(near)}?" if near else told


def _shortened(every: Sequence[str]) -> list[str]:
    """The paths of all pools as one, so that the sentence stays short."""
    pool_fields = dict.fromkeys(field.path for field in (*POOL_FIELDS, stock_out_field(0.0)))
    others = [path for path in every if not path.startswith(f"{_POOL}.")]
    return [*others, *(f"{_POOL}.NAME.{field}" for field in pool_fields)]


# --- Every path of a situation ---------------------------------------------------------------------------------------


def _all(situation: Situation, about: ObjectKey | None) -> Iterable[_Settable]:
    if about is not None:
        yield from _of_deployment(situation, situation.deployment(about), "")
    for deployment in situation.snapshot.deployments:
        for name in _names(situation, deployment.key):
            yield from _of_deployment(situation, deployment, f"{_DEPLOYMENT}.{name}.")
    for pool in situation.snapshot.pools:
        for field in (*POOL_FIELDS, stock_out_field(situation.snapshot.now_s)):
            yield _settable(field, pool, f"{_POOL}.{pool.name}.", lambda now, pool: now.with_pool(pool))


def _names(situation: Situation, key: ObjectKey) -> tuple[str, ...]:
    """How a deployment can be called: without its namespace where that is enough."""
    alone = sum(one.key.name == key.name for one in situation.snapshot.deployments) == 1
    return (key.name, str(key)) if alone else (str(key),)


def _settable(
    field: Field[Pool], pool: Pool, prefix: str, put_back: Callable[[Situation, Pool], Situation]
) -> _Settable:
    def put(now: Situation, text: str) -> Situation:
        return put_back(now, field.put(now.pool(pool.name), text))

    return _Settable(prefix + field.path, field.unit, field.told(pool), put)


def _of_deployment(situation: Situation, deployment: Deployment, prefix: str) -> Iterable[_Settable]:
    key = deployment.key
    yield _rate(situation, deployment, prefix)
    yield from _tokens(situation, deployment, prefix)
    for field in (*slo_fields(deployment), *DEPLOYMENT_FIELDS):
        yield _of_field(field, deployment, prefix)
    pools = {pool.name: pool for pool in situation.snapshot.pools}
    for variant in deployment.variants:
        for each in (*VARIANT_FIELDS, profile_field(situation.profiles, pools)):
            yield _of_variant(each, key, variant, f"{prefix}{_VARIANT}.{variant.name}.")


def _of_field(field: Field[Deployment], deployment: Deployment, prefix: str) -> _Settable:
    def put(now: Situation, text: str) -> Situation:
        return now.with_deployment(field.put(now.deployment(deployment.key), text))

    return _Settable(prefix + field.path, field.unit, field.told(deployment), put)


def _of_variant(field: Field[Variant], key: ObjectKey, variant: Variant, prefix: str) -> _Settable:
    def put(now: Situation, text: str) -> Situation:
        one = now.deployment(key)
        variants = tuple(field.put(v, text) if v.key == variant.key else v for v in one.variants)
        return now.with_deployment(replace(one, variants=variants))

    return _Settable(prefix + field.path, field.unit, field.told(variant), put)


def _rate(situation: Situation, deployment: Deployment, prefix: str) -> _Settable:
    told = situation.forecasts.get(deployment.key)
    rate_rps = told.required_rps if told else deployment.demand.arrival_rate_rps
    return _Settable(
        f"{prefix}rate",
        "requests per second to plan for, such as 40",
        NONE if rate_rps is None else told_amount(rate_rps),
        lambda now, text: now.with_rate(deployment.key, amount(text)),
    )


def _tokens(situation: Situation, deployment: Deployment, prefix: str) -> Iterable[_Settable]:
    told = situation.forecasts.get(deployment.key)
    mix = (told.tokens if told else None) or deployment.demand.tokens
    changes: tuple[tuple[str, Callable[[TokenMix, float], TokenMix], Callable[[TokenMix], float]], ...] = (
        ("promptTokens", _with_prompt, lambda mix: mix.prompt_tokens_mean),
        ("outputTokens", _with_output, lambda mix: mix.output_tokens_mean),
    )
    for name, change, mean_of in changes:
        unit = "mean tokens of a request, 1 or more, such as 800, where demand is known"
        present = NONE if mix is None else told_amount(mean_of(mix))
        yield _Settable(f"{prefix}{name}", unit, present, partial(_put_tokens, deployment.key, change))


def _put_tokens(key: ObjectKey, change: Callable[[TokenMix, float], TokenMix], now: Situation, text: str) -> Situation:
    told, mean = now.forecasts.get(key), amount(text)
    before = (told.tokens if told else None) or now.deployment(key).demand.tokens
    if before is None or mean < 1.0:
        raise ValueError(text)
    return now.with_tokens(key, change(before, mean))


def _with_prompt(mix: TokenMix, mean: float) -> TokenMix:
    """As widely spread as before."""
    p95 = mix.prompt_tokens_p95 * mean / mix.prompt_tokens_mean if mix.prompt_tokens_mean > 0 else mean
    return replace(mix, prompt_tokens_mean=mean, prompt_tokens_p95=p95)


def _with_output(mix: TokenMix, mean: float) -> TokenMix:
    p95 = mix.output_tokens_p95 * mean / mix.output_tokens_mean if mix.output_tokens_mean > 0 else mean
    return replace(mix, output_tokens_mean=mean, output_tokens_p95=p95)
