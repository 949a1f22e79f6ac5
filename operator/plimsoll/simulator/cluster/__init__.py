"""Nodes and pods without a cluster: controllers, scheduler, node autoscaler and provider, event by event.

In: how many replicas each target asks for; the facts of a scenario. Out: pods that become ready, go, or are taken away
with their node, and the node-seconds of every pool. Whoever serves requests is told, and tells when a pod has drained.

- ``objects``: a node and a pod.
- ``replica_sets``: which pods go first.
- ``scheduling``: which node a pod goes to.
- ``node_groups``: how many nodes a pool needs, and what the provider gives and takes.
- ``consolidation``: which nodes could be done without.
- ``simulated``: all of it together.
"""

from plimsoll.simulator.cluster.objects import SimNode, SimPod
from plimsoll.simulator.cluster.simulated import Listener, SimulatedCluster

__all__ = ["Listener", "SimNode", "SimPod", "SimulatedCluster"]
