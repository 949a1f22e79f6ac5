"""Do the steps of the Dockerfile make something that starts, is well and leaves when told, as one who may not write?

The steps are run in a clean folder, with this machine's Python in the place of the base image: see docs/image.md for
what that does not show.
"""

import base64
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
import yaml

from integration.image_steps import ROOT, Image, base_environment, built_image, stages
from integration.world import GRACEFUL_EXIT_S, LITTLE_RPS, UP_WITHIN_S, World
from plimsoll_testkit.chart import CHART, rendered
from plimsoll_testkit.processes import free_port

NOBODY = 65532
BUILT_WITHIN_S = 900
CONFINED = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
"""Root without any capability heeds the mode of files. Another user would not do: this Python may lie in a home folder
that is closed to it."""


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    # Not in pytest's folder, which is closed to everybody else.
    folder = Path(tempfile.mkdtemp(prefix="plimsoll-image-"))
    folder.chmod(0o755)
    try:
        made = built_image(folder / "root", base_environment(folder / "base"))
        for path in [folder, *folder.rglob("*")]:
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
        yield made
    finally:
        subprocess.run(["chmod", "-R", "u+w", folder], check=False)
        shutil.rmtree(folder)


def run_confined(image: Image, command: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*CONFINED, image.path("/opt/plimsoll/bin") / command[0], *command[1:]],
        env=no_place_to_write(image),
        cwd="/",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def no_place_to_write(image: Image) -> dict[str, str]:
    return {**image.environment, "TMPDIR": "/nowhere", "HOME": "/nowhere"}


@pytest.mark.timeout(BUILT_WITHIN_S)
def test_no_start_compiles(image: Image) -> None:
    (check,) = [text for text in stages()[1].arguments("RUN") if "--check" in text]
    done = run_confined(image, check.split())
    assert done.returncode == 0, done.stderr
    tries = f"open({str(image.path('/opt/plimsoll/x'))!r}, 'w')"
    assert "PermissionError" in run_confined(image, ["python", "-c", tries]).stderr


@pytest.mark.timeout(BUILT_WITHIN_S)
def test_the_kernel_compiled_again_is_the_same_byte_for_byte(image: Image, tmp_path: Path) -> None:
    """All else in the image is unpacked, or byte code that goes by its source."""
    (step,) = [text for text in stages()[0].arguments("RUN") if "plimsoll.engine.compile" in text]
    again = Image(image.root, {**image.environment, "NUMBA_CACHE_DIR": str(tmp_path)})
    again.run(step.partition("&& ")[2])
    kept = image.path("/opt/plimsoll/compiled")
    assert contents(tmp_path) == contents(kept)
    assert any(name.suffix == ".nbc" for name in contents(kept))


def contents(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.timeout(BUILT_WITHIN_S)
def test_it_holds_what_is_locked_and_nothing_for_tests(image: Image) -> None:
    done = run_confined(image, ["python", "-m", "pip", "list", "--format=json"])
    installed = {one["name"].lower().replace("_", "-") for one in json.loads(done.stdout)}
    locked = {
        line.split("==")[0].split("[")[0].lower().replace("_", "-")
        for line in (ROOT / "requirements.lock").read_text().splitlines()
        if "==" in line and not line.startswith((" ", "#"))
    }
    assert installed - locked == {"pip", "plimsoll"} | ({"setuptools"} & installed)
    assert "pytest" not in installed


@pytest.mark.timeout(BUILT_WITHIN_S)
def test_the_entry_point_starts_is_well_and_leaves_on_sigterm(image: Image, world: World, tmp_path: Path) -> None:
    world.add_model()
    world.set_demand(LITTLE_RPS)
    port = free_port()
    run = [*stages()[1].command("ENTRYPOINT"), *stages()[1].command("CMD")]
    assert run == ["plimsoll", "run"]
    # As the chart's pod has it, but for the address.
    _, *arguments = world.release.command(tmp_path / "settings.yaml", kubeconfig_of_files(world, tmp_path))
    before = listing(image.root)
    log = (tmp_path / "log").open("w")
    process = subprocess.Popen(
        [
            *CONFINED,
            image.path("/opt/plimsoll/bin/plimsoll"),
            *arguments,
            f"--listen=127.0.0.1:{port}",
            "--tick-interval=1",
        ],
        env=no_place_to_write(image),
        cwd="/",
        stdout=subprocess.DEVNULL,
        stderr=log,
    )
    try:
        world.wait_for_ready({"chat-cpu": 1}, UP_WITHIN_S)
        with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5.0) as answer:
            assert answer.status == 200
        healthy = [one.replace("8080", str(port)) for one in stages()[1].command("HEALTHCHECK")]
        assert run_confined(image, healthy).returncode == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=GRACEFUL_EXIT_S) == 0, (tmp_path / "log").read_text()
        assert run_confined(image, healthy).returncode != 0
    finally:
        process.kill()
        process.wait()
        log.close()
    assert listing(image.root) == before


def kubeconfig_of_files(world: World, folder: Path) -> Path:
    """Token and authority in files, as in a pod: the client would unpack what stands inline into temporary files."""
    config = yaml.safe_load(world.release.kubeconfig().read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    (folder / "ca.crt").write_bytes(base64.b64decode(cluster.pop("certificate-authority-data")))
    (folder / "token").write_text(user.pop("token"))
    cluster["certificate-authority"], user["tokenFile"] = str(folder / "ca.crt"), str(folder / "token")
    (folder / "kubeconfig").write_text(yaml.safe_dump(config))
    return folder / "kubeconfig"


def listing(root: Path) -> set[str]:
    return {str(path) for path in root.rglob("*")}


def test_the_image_and_the_chart_name_the_same_user_and_port() -> None:
    last = stages()[1]
    assert last.arguments("USER") == [f"{NOBODY}:{NOBODY}"]
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert values["podSecurityContext"]["runAsUser"] == values["podSecurityContext"]["runAsGroup"] == NOBODY
    (deployment,) = [one for one in rendered("trial", "default", {}) if one["kind"] == "Deployment"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert last.arguments("EXPOSE") == [str(container["ports"][0]["containerPort"])]


def test_hadolint_has_no_complaint() -> None:
    command: list[str | Path] = [
        Path(sys.executable).parent / "hadolint",
        "--failure-threshold=info",
        ROOT / "Dockerfile",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")
