"""Is a binary taken from where it should be, and built once and whole when it is nowhere?

In: a stand-in for `go` that takes as long as told and notes each call. Out: nothing is compiled here.
"""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from plimsoll_testkit.binaries import TOOL_BY_NAME, TOOLS, TOOLS_DIRECTORY, Binaries, BinaryMissing, Tool, linker_flags
from plimsoll_testkit.go_build import go_needed, most_demanding
from unit.testkit.fake_go import FakeGo, an_executable

KUBECONFORM = TOOL_BY_NAME["kubeconform"]


@pytest.fixture
def go(tmp_path: Path) -> FakeGo:
    return FakeGo(tmp_path)


@pytest.fixture
def environment(tmp_path: Path, go: FakeGo) -> dict[str, str]:
    path = f"{go.directory}:/usr/bin:/bin"
    return {"PATH": path, "HOME": str(tmp_path), "PLIMSOLL_CACHE_DIR": str(tmp_path / "cache")}


def a_builder(environment: dict[str, str]) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "plimsoll_testkit.binaries", "kubeconform"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline_s, what
        time.sleep(0.02)


def test_assets_folder_wins_over_the_cache(environment: dict[str, str], tmp_path: Path) -> None:
    an_executable(Binaries(environment).cached_path(KUBECONFORM))
    environment["KUBEBUILDER_ASSETS"] = str(tmp_path / "assets")
    wanted = an_executable(tmp_path / "assets" / "kubeconform")

    assert Binaries(environment).ensure(["kubeconform"]) == {"kubeconform": wanted}


def test_what_the_assets_folder_lacks_is_taken_from_the_cache(
    environment: dict[str, str], tmp_path: Path, go: FakeGo
) -> None:
    environment["KUBEBUILDER_ASSETS"] = str(tmp_path / "assets")
    etcd = an_executable(tmp_path / "assets" / "etcd")
    kwok = an_executable(Binaries(environment).cached_path(TOOL_BY_NAME["kwok"]))

    assert Binaries(environment).ensure(["etcd", "kwok"]) == {"etcd": etcd, "kwok": kwok}
    assert go.calls == []


def test_what_is_nowhere_is_built_once_and_found_from_then_on(
    environment: dict[str, str], go: FakeGo, capfd: pytest.CaptureFixture[str]
) -> None:
    first = Binaries(environment).ensure(["kubeconform"])
    second = Binaries(environment).ensure(["kubeconform"])

    assert first == second
    assert first["kubeconform"].read_text() == "whole"
    assert len(go.calls) == 1
    said = capfd.readouterr().err
    assert said.startswith("[1/1] kubeconform v0.8.0: building, ~5 s ... done in ")
    assert said.count("\n") == 1


@pytest.mark.parametrize("changed", ["go.mod", "go.sum"])
def test_changed_pin_never_meets_an_old_binary(environment: dict[str, str], tmp_path: Path, changed: str) -> None:
    tools = tmp_path / "tools"
    shutil.copytree(TOOLS_DIRECTORY / "kubeconform", tools / "kubeconform")
    before = Binaries(environment, tools).cached_path(KUBECONFORM)
    with (tools / "kubeconform" / changed).open("a") as pins:
        pins.write("\n")

    assert Binaries(environment, tools).cached_path(KUBECONFORM) != before


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"HOME": "/h"}, "/h/.cache/plimsoll/tools"),
        ({"HOME": "/h", "XDG_CACHE_HOME": "/x"}, "/x/plimsoll/tools"),
        ({"HOME": "/h", "XDG_CACHE_HOME": "/x", "PLIMSOLL_CACHE_DIR": "/p"}, "/p/tools"),
    ],
)
def test_cache_lies_where_the_user_wants_it(variables: dict[str, str], expected: str) -> None:
    assert Binaries(variables).cache_directory == Path(expected)


def test_missing_go_is_one_error_that_names_every_missing_tool_and_both_ways_out(
    environment: dict[str, str], tmp_path: Path
) -> None:
    environment["PATH"] = str(tmp_path / "empty")

    with pytest.raises(BinaryMissing) as error:
        Binaries(environment).ensure(["etcd", "kwok"])

    message = str(error.value)
    assert message.startswith("etcd, kwok: ")
    assert "install Go 1.26.0 or newer" in message
    assert "set KUBEBUILDER_ASSETS to a folder" in message


def test_go_too_old_for_one_of_the_missing_is_an_error_before_anything_is_built(
    environment: dict[str, str], go: FakeGo
) -> None:
    go.refuse_every_module("go.mod requires go >= 1.26.7 (running go 1.26.3; GOTOOLCHAIN=local)")

    with pytest.raises(BinaryMissing) as error:
        Binaries(environment).ensure(["kubeconform", "prometheus"])

    message = str(error.value)
    assert message.startswith("kubeconform, prometheus: ")
    assert "tools/prometheus/go.mod" in message
    assert "GOTOOLCHAIN=auto" in message
    assert "install Go 1.26.7 or newer" in message
    assert message.endswith("running go 1.26.3; GOTOOLCHAIN=local)")
    assert go.calls == ["list -m"]


def test_failed_build_tells_the_compilers_last_words_and_leaves_no_file(
    environment: dict[str, str], go: FakeGo
) -> None:
    go.behave(sleep_s=0, exit_code=2, says="no space left on device")
    binaries = Binaries(environment)

    with pytest.raises(BinaryMissing, match=r"(?s)kubeconform v0\.8\.0 .*exited 2.*no space left on device"):
        binaries.ensure(["kubeconform"])

    assert list(binaries.cached_path(KUBECONFORM).parent.iterdir()) == []


def test_unknown_name_is_answered_with_the_known_ones(environment: dict[str, str]) -> None:
    with pytest.raises(BinaryMissing, match=r"no tool is called 'kubelet': choose from etcd, kube-apiserver, "):
        Binaries(environment).ensure(["kubelet"])


def test_second_process_waits_for_the_first_says_so_and_builds_nothing(environment: dict[str, str], go: FakeGo) -> None:
    go.behave(sleep_s=0.7)
    with a_builder(environment) as first:
        wait_for(lambda: len(go.calls) == 1, "the first build to start")
        with a_builder(environment) as second:
            said = second.communicate()[1]
            first.communicate()

    assert f"another process (pid {first.pid}) is building" in said
    assert (first.returncode, second.returncode, len(go.calls)) == (0, 0, 1)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_build_leaves_no_binary_and_the_next_run_finishes_it(
    environment: dict[str, str], go: FakeGo, ending: signal.Signals
) -> None:
    target = Binaries(environment).cached_path(KUBECONFORM)
    go.behave(sleep_s=1.0)
    with a_builder(environment) as builder:
        wait_for(lambda: any(target.parent.glob(".*.partial")), "the build to be half done")
        builder.send_signal(ending)
        builder.communicate()
    assert not target.exists()

    go.behave(sleep_s=0)
    Binaries(environment).ensure(["kubeconform"])

    assert [path.name for path in target.parent.iterdir()] == ["kubeconform"]
    assert target.read_text() == "whole"


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_every_tool_is_pinned_as_a_tool_of_its_module(tool: Tool) -> None:
    words = (TOOLS_DIRECTORY / tool.module / "go.mod").read_text().split()

    assert tool.package in words
    assert Binaries({}).version(tool).startswith("v")


@pytest.mark.parametrize(
    ("directives", "newest"), [(("1.26.0", "1.26.7"), "1.26.7"), (("1.26.10", "1.26.9"), "1.26.10"), (("1.9",), "1.9")]
)
def test_newest_go_that_a_module_names_is_the_one_needed(
    tmp_path: Path, directives: tuple[str, ...], newest: str
) -> None:
    for directive in directives:
        (tmp_path / directive).mkdir()
        (tmp_path / directive / "go.mod").write_text(f"// go is great\nmodule m\n\ngo {directive}\n\ntool x\n")

    assert go_needed(most_demanding(tmp_path.iterdir())) == newest


def test_readme_names_the_go_that_the_pins_need() -> None:
    needed = go_needed(most_demanding(TOOLS_DIRECTORY / tool.module for tool in TOOLS))

    assert f"Go {needed} or newer" in (TOOLS_DIRECTORY.parent / "README.md").read_text()


def test_kubernetes_is_stamped_with_its_version_and_others_are_not() -> None:
    assert "-X k8s.io/component-base/version.gitVersion=v1.37.2" in linker_flags(TOOL_BY_NAME["kubectl"], "v1.37.2")
    assert "-X k8s.io/component-base/version.gitMinor=37" in linker_flags(TOOL_BY_NAME["kubectl"], "v1.37.2")
    assert linker_flags(TOOL_BY_NAME["etcd"], "v3.7.3") == "-s -w"


def test_every_pinned_kubernetes_library_has_the_version_of_kubernetes_itself() -> None:
    minor_and_patch = Binaries({}).version(TOOL_BY_NAME["kube-apiserver"]).removeprefix("v1.")
    lines = (TOOLS_DIRECTORY / "kubernetes" / "go.mod").read_text().splitlines()
    replacements = [line.split("=>")[1].split()[1] for line in lines if "=>" in line]

    assert set(replacements) == {f"v0.{minor_and_patch}"}
