"""Is each format recognised by its content, read right, and refused with its line where it is broken?"""

import json
from typing import Any

import pytest

from plimsoll.errors import UnusableMeasurements
from plimsoll.fitting import DecodeStep, Given, LoadPoint, Observation, PromptPass, read

LOAD_POINTS = """rps,in_tokens,out_tokens,ttft_ms,itl_ms,ttft_p95_ms,itl_p95_ms
0.5,1000,250,35.0,6.7,45.0,6.8
10,1033,258,42,11,55,11.5
"""
SPLITWISE = "hardware,prompt_tokens,batch,prompt_ms,token_ms\nh100,512,1,83.9,37.0\nh100,512,8,605.7,40.4\n"
SWEEP = """hardware,prompt,gen,batch,prefill_tok_s,decode_tok_s_total
arm,128,128,1,160,25
arm,683,324,4,,20
"""
BATCHED_BENCH = """main: n_kv_max = 2048
|    PP |     TG |    B |   N_KV |   T_PP s | S_PP t/s |   T_TG s | S_TG t/s |      T s |    S t/s |
|-------|--------|------|--------|----------|----------|----------|----------|----------|----------|
|   128 |    128 |    8 |   2048 |    0.500 |  2048.00 |    2.560 |   400.00 |    3.060 |   669.28 |
"""
BENCH_TABLE = """| model         |     size |  params | backend | threads |          test |            t/s |
| ------------- | -------: | ------: | ------- | ------: | ------------: | -------------: |
| qwen2 7B Q4_K | 4.36 GiB |  7.62 B | CPU     |      64 |         pp512 | 256.00 ± 1.20 |
| qwen2 7B Q4_K | 4.36 GiB |  7.62 B | CPU     |      64 |         tg128 |  25.00 ± 0.10 |
| qwen2 7B Q4_K | 4.36 GiB |  7.62 B | CPU     |      64 | tg128 @ d4096 |  20.00 ± 0.10 |
| qwen2 7B Q4_K | 4.36 GiB |  7.62 B | CPU     |      64 |    pp512+tg128 |  99.00 ± 0.10 |

build: 8cf427ff (5163)
"""
MLPERF_SUMMARY = """================================================
MLPerf Results Summary
================================================
SUT name : PySUT
Scenario : Server
Mode     : PerformanceOnly
Completed samples per second    : 8.00
Completed tokens per second: 1024.00
Result is : VALID
  Min duration satisfied : Yes

Mean latency (ns)               : 9000000000
Mean First Token latency (ns)               : 600000000
Mean Time per Output Token (ns)               : 60000000
"""
MLPERF_TABLE = """system,scenario,samples_per_s,out_tok_per_s,lat_mean_s,ttft_mean_ms,tpot_mean_ms
xeon,Offline,10,1280,,,
xeon,Server,4,512,8,600,58
"""


def a_distribution(mean: float) -> dict[str, Any]:
    return {"mean": mean, "median": 0.9 * mean, "std_dev": 0.1 * mean, "percentiles": {"p95": 1.5 * mean}}


def a_guidellm_report(*strategies: str) -> str:
    """As guidellm 0.4 and newer write it, cut down to what is read."""
    values = {
        "requests_per_second": 4.0,
        "prompt_token_count": 1000.0,
        "output_token_count": 250.0,
        "time_to_first_token_ms": 40.0,
        "inter_token_latency_ms": 10.0,
    }
    metrics = {name: {"successful": a_distribution(value)} for name, value in values.items()}
    benchmarks = [{"config": {"strategy": {"type_": kind}}, "metrics": metrics} for kind in strategies]
    return json.dumps({"metadata": {"version": 2}, "benchmarks": benchmarks})


def a_vllm_run(**overrides: Any) -> dict[str, Any]:
    return {
        "date": "20260801-120000",
        "num_prompts": 100,
        "request_rate": 4.0,
        "max_concurrency": None,
        "completed": 100,
        "total_input_tokens": 50_000,
        "total_output_tokens": 20_000,
        "request_throughput": 3.9,
        "mean_ttft_ms": 50.0,
        "median_ttft_ms": 45.0,
        "median_tpot_ms": 9.5,
        "median_itl_ms": 8.0,
        "p99_ttft_ms": 90.0,
        **overrides,
    }


def a_llama_test(**overrides: Any) -> dict[str, Any]:
    return {"n_batch": 2048, "n_ubatch": 256, "n_prompt": 0, "n_gen": 0, "n_depth": 0, "avg_ts": 25.0, **overrides}


def read_as(text: str, **given: Any) -> list[Observation]:
    return list(read("file", text, Given(**given)))


def test_load_points_are_read_line_by_line() -> None:
    first, second = read_as(LOAD_POINTS)
    assert first == LoadPoint("file line 2", 0.5, 1000, 250, 6.7, 35.0, 45.0, 6.8)
    assert isinstance(second, LoadPoint)
    assert second.rate_rps == 10


def test_rates_over_several_replicas_are_divided() -> None:
    first, _ = read_as(LOAD_POINTS, replicas=2)
    assert isinstance(first, LoadPoint)
    assert first.rate_rps == 0.25


def test_other_names_of_the_columns_are_understood() -> None:
    text = "gpu,rps,mean_ttft_ms,mean_tpot_ms,mean_in,mean_out\nh100,1.5,20.6,10.6,206,202\n"
    assert read_as(text) == [LoadPoint("file line 2", 1.5, 206, 202, 10.6, 20.6)]


def test_prompt_and_token_times_by_batch_are_read() -> None:
    assert read_as(SPLITWISE)[2:] == [
        PromptPass("file line 3", 605.7, 512, 8),
        DecodeStep("file line 3", 40.4, 8, 512),
    ]


def test_speeds_of_a_batch_become_times() -> None:
    """128 tokens at 160/s take 800 ms; 25 tokens/s are 40 ms each; 4 sequences at 20 tokens/s take 200 ms a step."""
    assert read_as(SWEEP) == [
        PromptPass("file line 2", 800.0, 128, 1),
        DecodeStep("file line 2", 40.0, 1, 192.0),
        DecodeStep("file line 3", 200.0, 4, 845.0),
    ]


def test_guidellm_gives_a_point_for_each_steady_benchmark() -> None:
    found = read_as(a_guidellm_report("synchronous", "throughput", "constant"))
    assert [one.where for one in found] == ["file benchmark 1", "file benchmark 3"]
    assert found[0] == LoadPoint("file benchmark 1", 4.0, 1000, 250, 9.0, 36.0, 60.0, 15.0, 100.0, 25.0)


def test_guidellm_without_a_steady_load_is_refused() -> None:
    with pytest.raises(UnusableMeasurements, match="steady load"):
        read_as(a_guidellm_report("throughput"))


def test_vllm_reads_the_mean_over_a_request_not_the_single_gap() -> None:
    assert read_as(json.dumps(a_vllm_run())) == [LoadPoint("file", 3.9, 500, 200, 9.5, 45.0)]


def test_vllm_runs_one_a_line_are_read() -> None:
    text = "\n".join(json.dumps(a_vllm_run(request_rate=rate)) for rate in (1, 2))
    assert [one.where for one in read_as(text)] == ["file run 1", "file run 2"]


def test_vllm_lengths_of_single_requests_give_their_spread() -> None:
    (one,) = read_as(json.dumps(a_vllm_run(input_lens=[400, 600], output_lens=[200, 200])))
    assert isinstance(one, LoadPoint)
    assert (one.prompt_sd, one.output_sd) == (100.0, 0.0)


def test_vllm_with_everything_sent_at_once_is_refused() -> None:
    with pytest.raises(UnusableMeasurements, match=r"at once.*--request-rate or --max-concurrency"):
        read_as(json.dumps(a_vllm_run(request_rate="inf")))
    assert read_as(json.dumps(a_vllm_run(request_rate="inf", max_concurrency=16)))


def test_vllm_with_an_endless_rate_as_a_number_is_refused_too() -> None:
    with pytest.raises(UnusableMeasurements, match="every request at once"):
        read_as(json.dumps(a_vllm_run(request_rate=float("inf"), max_concurrency=None)))


def test_a_mark_at_the_start_of_a_file_is_no_part_of_it() -> None:
    for text in (LOAD_POINTS, json.dumps(a_vllm_run())):
        assert read_as("\ufeff" + text) == read_as(text)


def test_llama_bench_json_gives_prompt_passes_and_single_steps() -> None:
    """512 tokens at 256/s take 2 s; 25 tokens/s are 40 ms a step, on average half of 128 tokens after 4096."""
    tests = [a_llama_test(n_prompt=512, avg_ts=256.0), a_llama_test(n_gen=128, n_depth=4096)]
    expected = [PromptPass("file test 1", 2000.0, 512, 1.0, 256.0), DecodeStep("file test 2", 40.0, 1.0, 4160.0)]
    assert read_as(json.dumps(tests)) == expected
    assert read_as("\n".join(map(json.dumps, tests))) == expected


def test_llama_bench_table_is_read_and_mixed_tests_are_left_out() -> None:
    assert read_as(BENCH_TABLE) == [
        PromptPass("file line 3", 2000.0, 512, 1.0, 512.0),
        DecodeStep("file line 4", 40.0, 1.0, 64.0),
        DecodeStep("file line 5", 50.0, 1.0, 4160.0),
    ]


def test_llama_batched_bench_shows_more_sequences() -> None:
    """2.56 s for 128 steps are 20 ms a step."""
    assert read_as(BATCHED_BENCH) == [
        PromptPass("file line 4", 500.0, 128, 8, 512.0),
        DecodeStep("file line 4", 20.0, 8, 192.0),
    ]


def test_mlperf_summary_is_a_load_point() -> None:
    """1024 tokens/s over 8 samples/s are 128 tokens each."""
    assert read_as(MLPERF_SUMMARY, prompt_tokens=800) == [LoadPoint("file", 8.0, 800, 128, 60.0)]


def test_mlperf_offline_is_a_full_replica() -> None:
    """64 sequences give 1280 tokens a second: 50 ms a step."""
    offline, server = read_as(MLPERF_TABLE, prompt_tokens=800, sequences=64)
    assert offline == LoadPoint("file line 2", 10, 800, 128, 50.0, concurrency=64)
    assert server == LoadPoint("file line 3", 4, 800, 128, 58)


def test_mlperf_asks_for_what_its_files_do_not_say() -> None:
    with pytest.raises(UnusableMeasurements, match=r"mean prompt length: give it with --prompt-tokens"):
        read_as(MLPERF_SUMMARY)
    with pytest.raises(UnusableMeasurements, match=r"line 2 is an Offline run.*--max-sequences"):
        read_as(MLPERF_TABLE, prompt_tokens=800)


def test_an_invalid_mlperf_run_is_refused() -> None:
    with pytest.raises(UnusableMeasurements, match="INVALID"):
        read_as(MLPERF_SUMMARY.replace(": VALID", ": INVALID"), prompt_tokens=800)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (LOAD_POINTS.replace("11,55", "fast,55"), r"file line 3: itl_ms is 'fast': write a number"),
        (LOAD_POINTS.replace("11,55", "-11,55"), r"file line 3: itl_ms is -11: .*above zero"),
        (LOAD_POINTS.replace("11,55", "nan,55"), r"file line 3: itl_ms is nan"),
        (LOAD_POINTS.replace("11,55", ",55"), r"file line 3 has no itl_ms or .*fill it in"),
        (LOAD_POINTS.replace("11,55", "11"), r"file line 3 has 6 cells, the header 7"),
        (LOAD_POINTS.splitlines()[0], "no row below its header"),
        (SPLITWISE.replace("h100,512,8", "a100,512,8"), r"2 different hardware values.*--only 'hardware=a100'"),
        ("one,two\n1,2\n", "none of the formats known: guidellm, vllm-bench"),
        ("  \n", "file is empty"),
        ("\ufeff", "file is empty"),
        ("x" * 200_000, "none of the formats known"),
        (LOAD_POINTS.replace("11,55", f"{'1' * 200_000},55"), "file is no table that can be read: .*limit"),
        ("[" * 100_000, "none of the formats known"),
        (json.dumps(a_vllm_run(median_tpot_ms=10**400)), r"file: median_tpot_ms is 10+: write a number"),
        (json.dumps(a_vllm_run(median_tpot_ms=-1)), r"file: median_tpot_ms is -1"),
        (json.dumps([a_llama_test(n_prompt=512, avg_ts=0)]), "test 1 has no avg_ts"),
        (MLPERF_SUMMARY.replace("60000000\n", "soon\n"), r"line 14: Mean Time per Output Token.*'soon'"),
        (MLPERF_SUMMARY.replace(": Server", ": SingleStream"), "scenario singlestream"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(text: str, says: str) -> None:
    with pytest.raises(UnusableMeasurements, match=says):
        read_as(text, prompt_tokens=800)


def test_rows_can_be_chosen() -> None:
    mixed = SPLITWISE.replace("h100,512,8", "a100,512,8")
    assert [one.where for one in read_as(mixed, only={"hardware": "a100"})] == ["file line 3", "file line 3"]
    with pytest.raises(UnusableMeasurements, match="no row with hardware=l4"):
        read_as(mixed, only={"hardware": "l4"})
    with pytest.raises(UnusableMeasurements, match="no column colour"):
        read_as(mixed, only={"colour": "red"})


def test_a_format_can_be_forced() -> None:
    with pytest.raises(UnusableMeasurements, match="file line 2 has no prompt_tokens or prompt"):
        read("file", LOAD_POINTS, Given(), "timings")
    with pytest.raises(UnusableMeasurements, match="no format excel: use one of"):
        read("file", LOAD_POINTS, Given(), "excel")
    with pytest.raises(UnusableMeasurements, match="file is no JSON"):
        read("file", LOAD_POINTS, Given(), "guidellm")
