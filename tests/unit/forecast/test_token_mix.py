"""The mix that is sized for stays while what is seen may be noise, and follows when it is not."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from plimsoll.decide import decide
from plimsoll.domain import Memory, TokenMix
from plimsoll.forecast import remember_demand
from plimsoll.forecast.last_hour import AVERAGED, LastHour, lengths
from plimsoll.forecast.token_mix import LEAST_DEVIATION, Looks, looks_of
from plimsoll.sizing.token_mix import rounded
from unit.builders import MIX, NOW_S, a_demand, a_deployment, a_pool, a_snapshot, a_variant
from unit.forecast.histories import TICK_S, Past, a_past

HEAVIER = TokenMix(1024.0, 2048.0, 256.0, 768.0)
LIGHTER = TokenMix(256.0, 512.0, 64.0, 192.0)


def scaled(ratio: float) -> TokenMix:
    return TokenMix(512.0 * ratio, 1024.0 * ratio, 128.0 * ratio, 384.0 * ratio)


def near(mix: TokenMix) -> Any:
    """What equals the lengths of each mix that is at most half a step of the grid away."""
    return pytest.approx(lengths(mix), rel=0.05)


def followed(past: Past, mixes: Iterable[TokenMix], rps: float = 10.0) -> Iterator[Past]:
    for mix in mixes:
        past = past.then(a_demand(rps, tokens=mix))
        yield past


def looks(rps: float, minutes: int, seed: int = 7, sigma: float = 0.9, every_s: float = TICK_S) -> Iterator[TokenMix]:
    """What a window of 60 s shows now and then of requests with log-normal lengths."""
    rng = np.random.default_rng(seed)
    each = [rng.lognormal(6.0, sigma, max(1, rng.poisson(rps * TICK_S))) for _ in range(minutes * 6 + 6)]
    for end in range(6, len(each), int(every_s / TICK_S)):
        seen = np.concatenate(each[end - 6 : end])
        mean, high = float(seen.mean()), float(np.quantile(seen, 0.95))
        yield TokenMix(mean, high, mean / 4.0, high / 4.0)


def test_noise_around_one_mean_leaves_one_mix() -> None:
    # Up to 8% up and down at 10 req/s: 600 requests a look leave 4 to 5% in the mean and 7 to 9% in the p95.
    noise = np.random.default_rng(3).uniform(0.92, 1.08, 200)
    used = {past.forecast.tokens for past in followed(a_past(10.0), map(scaled, noise))}
    assert used == {MIX}


def test_noise_around_one_mean_leaves_one_safe_rate() -> None:
    memory, rates = Memory(), set()
    for tick, ratio in enumerate(np.random.default_rng(3).uniform(0.95, 1.05, 60)):
        chat = a_deployment(variants=[a_variant("h100")], demand=a_demand(10.0, tokens=scaled(ratio)))
        decision = decide(a_snapshot([chat], [a_pool("gpu-h100")], now_s=1e6 + TICK_S * tick), memory)
        memory = decision.memory
        rates.add(decision.plan.deployments[0].variants[0].safe_rate_rps)
    assert len(rates) == 1


@pytest.mark.parametrize("rps", [0.1, 0.3, 1.0, 10.0])
def test_few_requests_of_one_kind_are_sized_anew_a_few_times_an_hour(rps: float) -> None:
    seen = list(looks(rps, minutes=60))
    used = [past.forecast.tokens for past in followed(a_past(rps), seen, rps)][60:]
    changes = sum(before != after for before, after in itertools.pairwise(used))
    assert len({rounded(mix) for mix in seen}) > 40  # what sizing would see of the looks themselves
    assert changes <= 12


@pytest.mark.parametrize("rps", [0.3, 1.0, 10.0])
def test_the_mix_in_use_stays_near_the_true_one(rps: float) -> None:
    # Log-normal with sigma 0.9: the mean is exp(6 + 0.405), the p95 exp(6 + 1.645 x 0.9). Allowed is the drift of 25%
    # and twice the deviation that some hundred requests leave.
    used = [past.forecast.tokens for past in followed(a_past(rps), looks(rps, minutes=60), rps)][60:]
    means = [mix.prompt_tokens_mean / np.exp(6.405) for mix in used if mix]
    assert min(means) > 0.6
    assert max(means) < 1.5


@pytest.mark.parametrize("every_s", [10.0, 30.0, 60.0])
@pytest.mark.parametrize("seed", range(4))
def test_a_few_very_long_requests_among_few_are_no_heavier_mix(seed: int, every_s: float) -> None:
    # Sigma 1.4: one request varies by 2.5 times the mean. At 0.3 req/s ten minutes leave 20% of it, an hour 8%.
    rps, true, past, used = 0.3, np.exp(6.0 + 1.4**2 / 2.0), a_past(0.3), list[TokenMix]()
    for look in looks(rps, 150, seed, sigma=1.4, every_s=every_s):
        past = past.then(a_demand(rps, tokens=look), every_s)
        assert past.forecast.tokens is not None
        used.append(past.forecast.tokens)
    later = used[int(3600.0 / every_s) :]
    means = [mix.prompt_tokens_mean / true for mix in later]
    assert min(means) > 0.7
    assert max(means) < 1.3
    # An hour and a half; before, looks 30 s apart asked for another safe rate every minute.
    assert sum(before != after for before, after in itertools.pairwise(later)) <= 40


def test_a_mix_of_few_requests_that_doubles_is_followed_within_half_an_hour() -> None:
    rps, past = 0.3, a_past(0.3)
    for look in looks(rps, 90, sigma=1.4):
        past = past.then(a_demand(rps, tokens=look))
    before = past.forecast.tokens
    for look in looks(rps, 30, seed=8, sigma=1.4):
        heavier = TokenMix(*(2.0 * length for length in lengths(look)[:AVERAGED]))
        past = past.then(a_demand(rps, tokens=heavier))
    assert before is not None
    assert past.forecast.tokens is not None
    assert past.forecast.tokens.prompt_tokens_mean > 1.4 * before.prompt_tokens_mean


def test_what_was_before_a_long_gap_tells_nothing_of_the_mix_after_it() -> None:
    past = a_past(2.0)
    for _ in range(60):
        past = past.then(a_demand(2.0, tokens=MIX), 60.0)
    past = past.then(a_demand(2.0, tokens=LIGHTER), 1800.0)
    for _ in range(3):
        past = past.then(a_demand(2.0, tokens=LIGHTER), 10.0)
    assert past.forecast.tokens is not None
    assert lengths(past.forecast.tokens) == near(LIGHTER)


def jumped_to(mix: TokenMix, rps: float = 10.0, window_s: float = 60.0) -> Past:
    """Ten minutes of 10 req/s, a look, and one a window later that shares no request with it."""
    past = a_past(*[10.0] * 60).then(a_demand(rps, tokens=mix, window_s=window_s))
    return past.then(a_demand(rps, tokens=mix, window_s=window_s), window_s)


def after_two_looks(mix: TokenMix, rps: float = 10.0, window_s: float = 60.0) -> TokenMix:
    """The mix in use then."""
    found = jumped_to(mix, rps, window_s).forecast.tokens
    assert found is not None
    return found


def test_a_much_heavier_mix_counts_when_two_looks_show_it() -> None:
    assert lengths(after_two_looks(HEAVIER)) == near(HEAVIER)


@pytest.mark.parametrize(
    "heavier",
    [replace(MIX, prompt_tokens_mean=1024.0), replace(MIX, output_tokens_mean=256.0)],
)
def test_much_longer_prompts_or_outputs_alone_count_then_too(heavier: TokenMix) -> None:
    found = after_two_looks(heavier)
    assert found.prompt_tokens_mean == pytest.approx(heavier.prompt_tokens_mean, rel=0.05)
    assert found.output_tokens_mean == pytest.approx(heavier.output_tokens_mean, rel=0.05)


@pytest.mark.parametrize(("seen", "counts"), [(75.0, False), (120.0, True)])
def test_two_of_the_longest_requests_among_few_are_no_heavier_mix(seen: float, counts: bool) -> None:
    # Thirty requests a look: two that write 1,000 tokens where the others write 20 make 87 of 20.
    usual = TokenMix(512.0, 1024.0, 20.0, 60.0, 10_000.0, 1_000.0)
    past = begun(usual)
    for mix in [usual] * 120 + [replace(usual, output_tokens_mean=seen)] * 7:
        past = past.then(a_demand(0.5, tokens=mix))
    assert past.forecast.tokens is not None
    assert (past.forecast.tokens.output_tokens_mean > 50.0) == counts


def test_what_is_heavier_by_less_than_half_is_left_to_the_mean() -> None:
    # Of 3000 requests, so that it is no noise: 4 deviations are a tenth.
    assert after_two_looks(scaled(1.4), window_s=300.0) == MIX
    assert lengths(after_two_looks(scaled(1.6), window_s=300.0)) == near(scaled(1.6))


def test_a_few_long_requests_in_a_lull_are_no_load() -> None:
    assert after_two_looks(HEAVIER, rps=8.0) == MIX
    assert lengths(after_two_looks(HEAVIER, rps=9.5)) == near(HEAVIER)


def test_one_heavy_minute_alone_may_be_what_a_burst_has_left() -> None:
    used = [past.forecast.tokens for past in followed(a_past(*[10.0] * 60), [HEAVIER] * 5)]
    assert used == [MIX] * 5


def test_a_tail_is_as_long_as_the_last_hour_shows_it() -> None:
    tail = replace(MIX, output_tokens_p95=1536.0)
    first, *_, last = followed(a_past(*[10.0] * 361), [tail] * 361)
    assert first.forecast.tokens == MIX
    assert last.forecast.tokens is not None
    assert last.forecast.tokens.output_tokens_p95 == pytest.approx(1536.0, rel=0.1)


def test_a_heavier_look_has_the_tail_of_the_hour_and_not_its_own() -> None:
    found = after_two_looks(replace(HEAVIER, prompt_tokens_p95=1024.0 * 8.0))
    # Two of the 62 looks of the hour have a tail of 8 means and the others of 2: 2.4 by lengths.
    assert found.prompt_tokens_mean == pytest.approx(1024.0, rel=0.05)
    ratio = (2 * 8192.0 + 60 * 1024.0) / (2 * 1024.0 + 60 * 512.0)
    assert found.prompt_tokens_p95 / found.prompt_tokens_mean == pytest.approx(ratio, rel=0.1)


def test_looks_that_are_a_window_apart_may_differ_and_the_mix_stays() -> None:
    # What an engine's counters show when a rare long request lies in the scrape interval that some looks all miss.
    short, long = scaled(0.75), scaled(1.25)
    minute = [short, short, short, long, long, long]
    *_, settled = followed(a_past(*[0.2] * 6), minute * 55, rps=0.2)
    used = [past.forecast.tokens for past in followed(settled, minute * 5, rps=0.2)]
    assert len(set(used)) == 1


def looks_at(*seen: tuple[float, TokenMix], window_s: float = 60.0) -> Looks:
    """What is known after looks at those moments, each of 0.3 req/s."""
    key, hour = a_deployment().key, LastHour()
    for at_s, mix in seen:
        hour = hour.with_looks(at_s, {key: (0.3, mix)})
    row, window_d, never_d = np.array([hour.row[key]]), np.array([window_s]), np.array([-np.inf])
    return looks_of(hour, row, np.array([0.3]), window_d, never_d, seen[-1][0])


def test_looks_further_apart_than_their_window_tell_only_of_the_requests_in_it() -> None:
    found = looks_at(*((NOW_S + 300.0 * look, MIX) for look in range(13)))
    # 18 requests a look, and 169 make a mean that stands still: those of ten looks, not all that came in 45 minutes.
    assert found.recent_requests_d.tolist() == pytest.approx([180.0])


def test_looks_that_just_share_no_request_are_compared_whatever_the_window() -> None:
    # At the last look those of 60 s ago are within its window of 65 s, and the one before these is not.
    times = [NOW_S + 9.9 + 10.0 * look for look in range(8)] + [NOW_S + 80.0]
    light, heavy = scaled(0.1), scaled(10.0)
    found = looks_at(*zip(times, [light] * 8 + [heavy], strict=True), window_s=65.0)
    assert found.deviation_kd[0, 0] > LEAST_DEVIATION


def test_a_gap_separates_also_where_a_clock_that_was_set_back_has_left_a_hole_after_it() -> None:
    before = [(NOW_S + 10.0 * look, LIGHTER) for look in range(5)]
    after = [(NOW_S + 1000.0, HEAVIER), (NOW_S + 1030.0, HEAVIER), (NOW_S + 995.0, HEAVIER)]
    assert looks_at(*before, *after).mean_kd[0].tolist() == [HEAVIER.prompt_tokens_mean]


def test_a_mean_that_has_moved_has_the_tail_of_the_hour_and_not_of_its_ten_minutes() -> None:
    tail = replace(scaled(1.3), prompt_tokens_p95=8000.0)
    *_, last = followed(a_past(*[10.0] * 361), [tail] * 60)
    found = last.forecast.tokens
    assert found is not None
    # 51 minutes of 1024 over 512 and 10 of 8000 over 666: 4.0; the ten minutes alone would have 12.
    assert 3.0 < found.prompt_tokens_p95 / found.prompt_tokens_mean < 5.0


def test_what_is_taken_over_lies_on_a_grid_each_length_by_itself() -> None:
    jumped = jumped_to(HEAVIER)
    *_, drifted = followed(a_past(*[10.0] * 60), [scaled(1.3)] * 61)
    for past in (jumped, jumped.then(a_demand(10.0, tokens=HEAVIER)), drifted):
        assert past.forecast.tokens is not None
        assert past.forecast.tokens != MIX
        steps = np.log(lengths(past.forecast.tokens)[:AVERAGED]) / np.log(1.1)
        assert steps == pytest.approx(steps.round(), abs=1e-3)


def test_a_mix_that_comes_back_differing_by_little_asks_the_same_question() -> None:
    used = []
    for ratio in (1.0, 1.01, 0.99):
        *_, there = followed(begun(scaled(ratio)), [scaled(2.0 * ratio)] * 61)
        *_, back = followed(there, [scaled(ratio)] * 61)
        used.append((there.forecast.tokens, back.forecast.tokens))
    assert len(set(used)) == 1


def test_a_lasting_lighter_mix_is_followed_late() -> None:
    at_once, *_, late = followed(a_past(*[10.0] * 60), [LIGHTER] * 61)
    assert at_once.forecast.tokens == MIX
    assert late.forecast.tokens is not None
    assert late.forecast.tokens.prompt_tokens_mean == pytest.approx(256.0, rel=0.1)


def test_a_lasting_heavier_mix_that_one_look_does_not_prove_is_followed_by_its_mean() -> None:
    # At one request in five seconds a look is of 12: a half more is within three deviations of 38%.
    first, *_, last = followed(a_past(*[0.2] * 60), [scaled(1.5)] * 61, rps=0.2)
    assert first.forecast.tokens == MIX
    assert last.forecast.tokens is not None
    assert last.forecast.tokens.prompt_tokens_mean == pytest.approx(768.0, rel=0.25)


def test_a_lighter_mix_is_followed_as_soon_as_the_mean_has_moved_by_more_than_noise() -> None:
    # Tolerance is a tenth: of 61 samples, 13 of half the length.
    used = [past.forecast.tokens for past in followed(a_past(*[10.0] * 60), [LIGHTER] * 61)]
    assert used[11] == MIX
    assert used[12] != MIX


def test_after_a_jump_only_what_came_since_counts() -> None:
    # The mean of ten minutes would be mostly of what was before.
    burst = jumped_to(HEAVIER)
    for past in followed(burst, [HEAVIER] * 90):
        assert past.forecast.tokens is not None
        assert lengths(past.forecast.tokens) == near(HEAVIER)


def test_a_burst_of_heavy_requests_is_forgotten_when_what_came_since_outweighs_it() -> None:
    burst = jumped_to(HEAVIER)
    means = [past.forecast.tokens.prompt_tokens_mean for past in followed(burst, [MIX] * 30) if past.forecast.tokens]
    assert means[0] == pytest.approx(768.0, rel=0.05)  # one heavy look and one other
    assert means == sorted(means, reverse=True)
    assert means[-1] == pytest.approx(512.0, rel=0.15)  # five minutes later: a step and the tolerance


def test_a_clock_that_is_set_back_after_a_jump_leaves_a_mix_that_follows() -> None:
    jumped = jumped_to(HEAVIER)
    back = jumped.then(a_demand(10.0, tokens=HEAVIER), -7200.0)
    assert back.forecast.tokens == jumped.forecast.tokens
    *_, later = followed(back, [LIGHTER] * 61)
    assert later.forecast.tokens is not None
    assert later.forecast.tokens.prompt_tokens_mean == pytest.approx(256.0, rel=0.1)


def test_what_no_request_had_is_not_taken_over() -> None:
    *_, silent = followed(a_past(*[10.0] * 60), [scaled(3.0)] * 90, rps=0.0)
    assert silent.forecast.tokens == MIX


def test_the_fewer_requests_a_look_is_of_the_less_it_proves() -> None:
    # Of 50 requests four deviations are 74%, of 3000 a tenth.
    assert after_two_looks(scaled(1.6), window_s=5.0) == MIX
    assert lengths(after_two_looks(scaled(1.6), window_s=300.0)) == near(scaled(1.6))


def test_unknown_demand_keeps_the_mix_in_use() -> None:
    past = jumped_to(HEAVIER)
    assert past.then(a_demand(None)).then(a_demand(None), 3600.0).forecast.tokens == past.forecast.tokens != MIX


def begun(mix: TokenMix) -> Past:
    """The first look shows that mix."""
    snapshot = a_snapshot([a_deployment(demand=a_demand(10.0, tokens=mix))])
    return Past(snapshot, remember_demand(snapshot, Memory()))


def ending(prompt: float, output: float = 500.0) -> TokenMix:
    return replace(MIX, prompt_tokens_most=prompt, output_tokens_most=output)


def test_a_longer_request_raises_the_largest_length_at_once() -> None:
    only, more, less = followed(begun(ending(2000.0)), [ending(2000.0), ending(5000.0), ending(1000.0)])
    assert [past.forecast.tokens for past in (only, more, less)] == [ending(2000.0), ending(5000.0), ending(5000.0)]


def test_the_largest_length_falls_when_an_hour_has_shown_none_so_long() -> None:
    past = begun(ending(5000.0))
    after = [past.forecast.tokens for past in followed(past, [ending(2000.0, 200.0)] * 361)]
    assert after[359] == ending(5000.0)
    assert after[360] == ending(2000.0, 200.0)


def test_one_look_without_a_known_largest_length_leaves_none_for_an_hour() -> None:
    after = [past.forecast.tokens for past in followed(begun(ending(2000.0)), [MIX, *[ending(2000.0)] * 361])]
    assert after[360] == MIX
    assert after[361] == ending(2000.0)
