"""What the operator sees of a simulated cluster is what `resolve` would make of the same objects on a real one."""

from dataclasses import replace
from pathlib import Path

from plimsoll.domain import ObjectKey
from plimsoll.observe import Cluster, resolve
from plimsoll.observe.views import NodeView, PodView
from plimsoll.simulator.episode import START_S
from plimsoll.simulator.scenario import Scenario
from plimsoll.simulator.views import Views
from plimsoll.simulator.world import World
from unit.simulator.folders import an_episode
from unit.simulator.test_world import KEY, Script

WORKLOAD = ("Deployment", ObjectKey("team-a", "chat-h100"))


def resolved(scenario: Scenario, seen: Cluster, replicas: int) -> Cluster:
    """The same pods and nodes, by way of the operator's cache."""
    contents = scenario.contents
    workload = contents.workloads[WORKLOAD]
    labels = dict(workload.selector.equal)
    pods = seen.deployments[0].variants[0].pods
    return resolve(
        replace(
            contents,
            workloads={WORKLOAD: replace(workload, replicas=replicas)},
            pods={
                ObjectKey("team-a", pod.name): PodView("team-a", labels, pod, workload.requests, of_daemonset=False)
                for pod in pods
            },
            nodes={
                ObjectKey("", node.name): NodeView(
                    node.name, {"pool": "gpu-h100"}, node.ready, node.schedulable, node.allocatable, node.created_s
                )
                for node in seen.pools[0].nodes
            },
        ),
        {},
    )


def test_the_view_of_a_moment_is_what_the_operator_resolves(tmp_path: Path) -> None:
    episode = an_episode(tmp_path)
    world = World(episode, Script(at_300=6))
    world.play()
    seen = Views(episode.cluster, START_S).cluster(world.cluster)
    assert len(seen.deployments[0].variants[0].pods) == 6
    assert len(seen.pools[0].nodes) == 2
    assert seen == resolved(episode.scenario, seen, replicas=6)


def test_what_has_not_changed_is_the_same_object(tmp_path: Path) -> None:
    episode = an_episode(tmp_path)
    world = World(episode, Script())
    views = Views(episode.cluster, START_S)
    world.play()
    first, second = views.cluster(world.cluster), views.cluster(world.cluster)
    assert first.deployments[0] is second.deployments[0]
    world.cluster.set_replicas(KEY, 2, frozenset(), 1800.0)
    assert views.cluster(world.cluster).deployments[0].variants[0].replicas == 2


def test_a_node_that_a_pod_waited_for_is_younger_than_the_pod(tmp_path: Path) -> None:
    episode = an_episode(tmp_path)
    world = World(episode, Script(at_300=6))
    world.play()
    seen = Views(episode.cluster, START_S).cluster(world.cluster)
    # As the API server has it: by this, start-ups tell whether they waited for a node to boot.
    first, second = seen.pools[0].nodes
    pods = seen.deployments[0].variants[0].pods
    assert {pod.created_s >= first.created_s for pod in pods if pod.node == first.name} == {True}
    assert {pod.created_s < second.created_s for pod in pods if pod.node == second.name} == {True}
