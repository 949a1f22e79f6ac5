"""What does ``--if pool.gpu-h100.price=2.10`` mean for the situation at hand?

In: texts as typed, a situation, and the deployment they are about. Out: the situation with all of them, and each as it
was read, with the value it replaces. Names that are not there and values that are none become one sentence that says
what can be written instead.
"""

import math
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
_MOST_NEAR, _MOST_NAMES = 3, 20
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
    pattern: str
    """The path with NAME in place of the object's."""
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
        raise InvalidObject(f"--if {path}: {_why_not(situation, path, about)}")
    return found


def _why_not(situation: Situation, path: str, about: ObjectKey | None) -> str:
    every = list(_all(situation, about))
    near = get_close_matches(path, [one.path for one in every], n=_MOST_NEAR, cutoff=_NEAR)
    kind, _, rest = path.partition(".")
    names = {
        _POOL: [pool.name for pool in situation.snapshot.pools],
        _DEPLOYMENT: [name for one in situation.snapshot.deployments for name in _names(situation, one.key)],
    }
    if kind in names and not any(rest.startswith(f"{name}.") for name in names[kind]):
        near = [f"{kind}.{name}" for name in get_close_matches(rest.partition(".")[0], names[kind], n=_MOST_NEAR)]
        what, known = f"no {kind} has that name", f"There are {', '.join(names[kind][:_MOST_NAMES]) or 'none'}"
    else:
        what, known = "that cannot be set", f"What can be: {', '.join(_patterns(every, about))}"
    return f"{what}; did you mean {' or '.join(near)}? {known}" if near else f"{what}. {known}"


def _patterns(every: Sequence[_Settable], about: ObjectKey | None) -> Iterable[str]:
    """Every path with NAME for names, once; those of other deployments as one, where one's own need no name."""
    patterns = dict.fromkeys(one.pattern for one in every)
    if about is None:
        return patterns
    own = [one for one in patterns if not one.startswith(f"{_DEPLOYMENT}.")]
    return [*own, f"and {_DEPLOYMENT}.NAME.PATH for another one"]


# --- Every path of a situation ---------------------------------------------------------------------------------------


def _all(situation: Situation, about: ObjectKey | None) -> Iterable[_Settable]:
    if about is not None:
        yield from _of_deployment(situation, situation.deployment(about))
    for deployment in situation.snapshot.deployments:
        own = list(_of_deployment(situation, deployment))
        for name in _names(situation, deployment.key):
            yield from (_under(f"{_DEPLOYMENT}.{name}", one) for one in own)
    for pool in situation.snapshot.pools:
        for field in (*POOL_FIELDS, stock_out_field(situation.snapshot.now_s)):
            yield _of_pool(field, pool)


def _under(owner: str, one: _Settable) -> _Settable:
    return replace(one, path=f"{owner}.{one.path}", pattern=f"{_DEPLOYMENT}.NAME.{one.pattern}")


def _names(situation: Situation, key: ObjectKey) -> tuple[str, ...]:
    """How a deployment can be called: without its namespace where that is enough."""
    alone = sum(one.key.name == key.name for one in situation.snapshot.deployments) == 1
    return (key.name, str(key)) if alone else (str(key),)


def _of_pool(field: Field[Pool], pool: Pool) -> _Settable:
    def put(now: Situation, text: str) -> Situation:
        return now.with_pool(field.put(now.pool(pool.name), text))

    return _Settable(
        f"{_POOL}.{pool.name}.{field.path}", f"{_POOL}.NAME.{field.path}", field.unit, field.told(pool), put
    )


def _of_deployment(situation: Situation, deployment: Deployment) -> Iterable[_Settable]:
    yield _rate(situation, deployment)
    yield from _tokens(situation, deployment)
    for field in (*slo_fields(deployment), *DEPLOYMENT_FIELDS):
        yield _of_field(field, deployment)
    pools = {pool.name: pool for pool in situation.snapshot.pools}
    for variant in deployment.variants:
        for each in (*VARIANT_FIELDS, profile_field(situation.profiles, pools)):
            yield _of_variant(each, deployment.key, variant)


def _of_field(field: Field[Deployment], deployment: Deployment) -> _Settable:
    def put(now: Situation, text: str) -> Situation:
        return now.with_deployment(field.put(now.deployment(deployment.key), text))

    return _Settable(field.path, field.path, field.unit, field.told(deployment), put)


def _of_variant(field: Field[Variant], key: ObjectKey, variant: Variant) -> _Settable:
    def put(now: Situation, text: str) -> Situation:
        one = now.deployment(key)
        variants = tuple(field.put(v, text) if v.key == variant.key else v for v in one.variants)
        return now.with_deployment(replace(one, variants=variants))

    path = f"{_VARIANT}.{variant.name}.{field.path}"
    return _Settable(path, f"{_VARIANT}.NAME.{field.path}", field.unit, field.told(variant), put)


def _rate(situation: Situation, deployment: Deployment) -> _Settable:
    told = situation.forecasts.get(deployment.key)
    rate_rps = told.required_rps if told else deployment.demand.arrival_rate_rps
    return _Settable(
        "rate",
        "rate",
        "requests per second to plan for, such as 40",
        NONE if rate_rps is None else told_amount(rate_rps),
        lambda now, text: now.with_rate(deployment.key, amount(text)),
    )


def _tokens(situation: Situation, deployment: Deployment) -> Iterable[_Settable]:
    told = situation.forecasts.get(deployment.key)
    mix = (told.tokens if told else None) or deployment.demand.tokens
    changes: tuple[tuple[str, Callable[[TokenMix, float], TokenMix], Callable[[TokenMix], float]], ...] = (
        ("promptTokens", _with_prompt, lambda mix: mix.prompt_tokens_mean),
        ("outputTokens", _with_output, lambda mix: mix.output_tokens_mean),
    )
    for name, change, mean_of in changes:
        unit = "mean tokens of a request, 1 or more, such as 800, where demand is known"
        present = NONE if mix is None else told_amount(mean_of(mix))
        yield _Settable(name, name, unit, present, partial(_put_tokens, deployment.key, change))


def _put_tokens(key: ObjectKey, change: Callable[[TokenMix, float], TokenMix], now: Situation, text: str) -> Situation:
    told, mean = now.forecasts.get(key), amount(text)
    before = (told.tokens if told else None) or now.deployment(key).demand.tokens
    if before is None or mean < 1.0:
        raise ValueError(text)
    return now.with_tokens(key, change(before, mean))


def _with_prompt(mix: TokenMix, mean: float) -> TokenMix:
    """As widely spread as before."""
    times = mean / mix.prompt_tokens_mean if mix.prompt_tokens_mean > 0 else None
    return replace(
        mix,
        prompt_tokens_mean=mean,
        prompt_tokens_p95=mean if times is None else mix.prompt_tokens_p95 * times,
        prompt_tokens_most=math.inf if times is None else mix.prompt_tokens_most * times,
    )


def _with_output(mix: TokenMix, mean: float) -> TokenMix:
    times = mean / mix.output_tokens_mean if mix.output_tokens_mean > 0 else None
    return replace(
        mix,
        output_tokens_mean=mean,
        output_tokens_p95=mean if times is None else mix.output_tokens_p95 * times,
        output_tokens_most=math.inf if times is None else mix.output_tokens_most * times,
    )
