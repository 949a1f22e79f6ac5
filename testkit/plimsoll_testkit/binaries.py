"""Where is the binary of each real part, and if nowhere, how is it built?

In: names of tools (``kube-apiserver``). Out: their paths. The order of search is ``$KUBEBUILDER_ASSETS`` (it may hold
only some), the cache, the build from the Go modules pinned under ``tools/``. The cache is ``$PLIMSOLL_CACHE_DIR``, else
``$XDG_CACHE_HOME/plimsoll``, else ``~/.cache/plimsoll``; its folders carry the digest of what they were built from, so
a changed pin never meets an old binary. Building itself is left to go_build.py. Design section 8.

    python -m plimsoll_testkit.binaries [NAME ...]     builds what is missing, all by default
"""

import argparse
import hashlib
import os
import platform
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from plimsoll_testkit.go_build import (
    BuildFailed,
    GoBuild,
    GoTooOld,
    build_into,
    check_go,
    find_go,
    go_needed,
    most_demanding,
)
from plimsoll_testkit.processes import exits_on_sigterm

TOOLS_DIRECTORY = Path(__file__).resolve().parents[2] / "tools"


@dataclass(frozen=True)
class Tool:
    """One binary: the Go package it is built from and how long that takes."""

    name: str
    module: str
    """Folder under ``tools/`` whose go.mod pins it."""
    package: str
    versioned_by: str
    """The Go module whose version is the tool's."""
    expected_s: float
    """Wall time of a cold build in the order of ``TOOLS`` on two cores, measured."""
    tags: tuple[str, ...] = ()


TOOLS: tuple[Tool, ...] = (
    Tool("etcd", "etcd", "go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/server/v3", 50),
    # The first of the Kubernetes binaries compiles the packages that all four share.
    Tool("kube-apiserver", "kubernetes", "k8s.io/kubernetes/cmd/kube-apiserver", "k8s.io/kubernetes", 420),
    Tool(
        "kube-controller-manager",
        "kubernetes",
        "k8s.io/kubernetes/cmd/kube-controller-manager",
        "k8s.io/kubernetes",
        120,
    ),
    Tool("kube-scheduler", "kubernetes", "k8s.io/kubernetes/cmd/kube-scheduler", "k8s.io/kubernetes", 15),
    Tool("kubectl", "kubernetes", "k8s.io/kubernetes/cmd/kubectl", "k8s.io/kubernetes", 30),
    Tool("kwok", "kwok", "sigs.k8s.io/kwok/cmd/kwok", "sigs.k8s.io/kwok", 100),
    # Without the tag every cloud's service discovery is compiled in, which takes 7.5 minutes; http_sd stays.
    Tool(
        "prometheus",
        "prometheus",
        "github.com/prometheus/prometheus/cmd/prometheus",
        "github.com/prometheus/prometheus",
        180,
        ("remove_all_sd",),
    ),
    Tool(
        "promtool",
        "prometheus",
        "github.com/prometheus/prometheus/cmd/promtool",
        "github.com/prometheus/prometheus",
        50,
        ("remove_all_sd",),
    ),
    Tool("helm", "helm", "helm.sh/helm/v4/cmd/helm", "helm.sh/helm/v4", 120),
    Tool(
        "kubeconform", "kubeconform", "github.com/yannh/kubeconform/cmd/kubeconform", "github.com/yannh/kubeconform", 5
    ),
    # Our own few lines around the library, which has no command.
    Tool("kstatus", "kstatus", "plimsoll.dev/tools/kstatus", "sigs.k8s.io/cli-utils", 15),
    Tool(
        "kustomize-controller",
        "flux",
        "github.com/fluxcd/kustomize-controller",
        "github.com/fluxcd/kustomize-controller",
        300,
    ),
    # Our own few lines around the engine that compares.
    Tool("argocd-diff", "argocd", "plimsoll.dev/tools/argocd", "github.com/argoproj/argo-cd/v3", 110),
)
TOOL_BY_NAME: Mapping[str, Tool] = {tool.name: tool for tool in TOOLS}


class BinaryMissing(Exception):
    """A binary is nowhere to be found and cannot be built; the message says what to do."""


@dataclass(frozen=True)
class Binaries:
    """Finds or builds the tools for one environment."""

    environment: Mapping[str, str]
    tools_directory: Path = TOOLS_DIRECTORY

    def ensure(self, names: Iterable[str]) -> dict[str, Path]:
        """Path of every named tool, built where it was missing.

        Raises:
            BinaryMissing: a name is unknown, or the build is not possible or failed.
        """
        tools = [_known(name) for name in names]
        paths = {tool.name: self.find(tool) for tool in tools}
        missing = [tool for tool in tools if paths[tool.name] is None]
        if missing:
            go = self._go(missing)
            for number, tool in enumerate(missing, start=1):
                paths[tool.name] = self._build(tool, go, f"[{number}/{len(missing)}]")
        return {name: path for name, path in paths.items() if path is not None}

    def find(self, tool: Tool) -> Path | None:
        """Where the tool already is: the assets folder first, then the cache."""
        assets = self.environment.get("KUBEBUILDER_ASSETS")
        if assets and _is_executable(Path(assets) / tool.name):
            return Path(assets) / tool.name
        cached = self.cached_path(tool)
        return cached if _is_executable(cached) else None

    def cached_path(self, tool: Tool) -> Path:
        return self.cache_directory / f"{tool.module}-{self.version(tool)}-{self._digest(tool)}" / tool.name

    @property
    def cache_directory(self) -> Path:
        """Root of the built binaries."""
        own = self.environment.get("PLIMSOLL_CACHE_DIR")
        if own:
            return Path(own) / "tools"
        shared = self.environment.get("XDG_CACHE_HOME")
        home = self.environment.get("HOME")
        base = Path(shared) if shared else (Path(home) if home else Path.home()) / ".cache"
        return base / "plimsoll" / "tools"

    def version(self, tool: Tool) -> str:
        """Version that ``tools/<module>/go.mod`` pins, such as ``v1.37.2``."""
        for line in self._module_file(tool, "go.mod").read_text().splitlines():
            match line.removeprefix("require ").split():
                case [module, version, *_] if module == tool.versioned_by and version.startswith("v"):
                    return version
        raise BinaryMissing(
            f"tools/{tool.module}/go.mod does not pin {tool.versioned_by}: run `go get -tool {tool.package}` there"
        )

    def _digest(self, tool: Tool) -> str:
        """Changes whenever a rebuilt binary could differ: pins, source of ours, flags, platform."""
        digest = hashlib.sha256()
        for name in ("go.mod", "go.sum"):
            digest.update(self._module_file(tool, name).read_bytes())
        for source in sorted((self.tools_directory / tool.module).glob("*.go")):
            digest.update(source.read_bytes())
        digest.update(
            repr((linker_flags(tool, self.version(tool)), tool.tags, sys.platform, platform.machine())).encode()
        )
        return digest.hexdigest()[:12]

    def _module_file(self, tool: Tool, name: str) -> Path:
        path = self.tools_directory / tool.module / name
        if not path.is_file():
            raise BinaryMissing(
                f"{path} is missing, so {tool.name} cannot be found in the cache or built. The test kit runs from a "
                f"checkout of the repository: use its own environment (`make setup`), or set KUBEBUILDER_ASSETS to a "
                f"folder that holds {tool.name}"
            )
        return path

    def _go(self, missing: Sequence[Tool]) -> str:
        """The ``go`` that can build them all: better to learn that it cannot now than after ten minutes of building."""
        module = most_demanding(self.tools_directory / tool.module for tool in missing)
        names = ", ".join(tool.name for tool in missing)
        nowhere = f"{names}: neither in KUBEBUILDER_ASSETS nor in {self.cache_directory}, and"
        ways_out = (
            f"Two ways out: install Go {go_needed(module)} or newer (https://go.dev/doc/install) and run this again, "
            "or set KUBEBUILDER_ASSETS to a folder that holds executables of these names"
        )
        go = find_go(self.environment)
        if go is None:
            raise BinaryMissing(f"{nowhere} there is no `go` on PATH to build with. {ways_out}")
        try:
            check_go(go, module, self.environment)
        except GoTooOld as too_old:
            raise BinaryMissing(
                f"{nowhere} {go} is too old for {module / 'go.mod'} and did not fetch a newer one (GOTOOLCHAIN=auto "
                f"lets it, given a module proxy). {ways_out}. Its words:\n{too_old}"
            ) from too_old
        return go

    def _build(self, tool: Tool, go: str, position: str) -> Path:
        version = self.version(tool)
        build = GoBuild(
            name=tool.name,
            title=f"{position} {tool.name} {version}",
            module_directory=self.tools_directory / tool.module,
            package=tool.package,
            linker_flags=linker_flags(tool, version),
            tags=tool.tags,
            expected_s=tool.expected_s,
        )
        target = self.cached_path(tool)
        try:
            build_into(target, build, go, lock_path=self.cache_directory / "build.lock", environment=self.environment)
        except BuildFailed as failure:
            raise BinaryMissing(
                f"{tool.name} {version} is neither in KUBEBUILDER_ASSETS nor in {self.cache_directory}, and building "
                f"it failed: {failure}"
            ) from failure
        return target


def linker_flags(tool: Tool, version: str) -> str:
    """No debug tables (a third of the size), and for Kubernetes the version that a release build would carry."""
    flags = ["-s", "-w"]
    if tool.module == "kubernetes":
        major, minor, _ = version.removeprefix("v").split(".", 2)
        stamps = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
        flags += [f"-X k8s.io/component-base/version.{key}={value}" for key, value in stamps.items()]
    return " ".join(flags)


def ensure(names: Iterable[str]) -> dict[str, Path]:
    """Path of every named tool in this process's environment, built where it was missing."""
    return Binaries(os.environ).ensure(names)


def _is_executable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _known(name: str) -> Tool:
    if name not in TOOL_BY_NAME:
        raise BinaryMissing(f"no tool is called {name!r}: choose from {', '.join(TOOL_BY_NAME)}")
    return TOOL_BY_NAME[name]


def main(arguments: list[str] | None = None) -> int:
    """Build what is missing and say where everything is; 1 when something cannot be had, 130 on Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m plimsoll_testkit.binaries", description="Find or build the real control plane's binaries."
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"one of {', '.join(TOOL_BY_NAME)}; all when none is given"
    )
    parser.add_argument("--quiet", action="store_true", help="tell the progress only, not where the binaries are")
    options = parser.parse_args(arguments)
    names = options.names or list(TOOL_BY_NAME)
    try:
        with exits_on_sigterm():
            paths = ensure(names)
    except BinaryMissing as missing:
        print(missing, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    for name, path in () if options.quiet else paths.items():
        print(f"{name:<24} {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
