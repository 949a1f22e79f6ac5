"""What no figure says: what is measured and how, where a scenario is less than its name, why a goal is missed.

In: nothing. Out: prose for the page, by scenario. It has no figures of its own: those are in the tables beside it.
"""

HEAD = """# The benchmark

What Plimsoll costs in simulated clusters, what it keeps, and what the others do. Written by `make bench`; the figures
stand in `build/bench.json` too. It needs the public traces: set `PLIMSOLL_DATA_DIR` to the folder that holds them.

Cost is every node-second by its price, from the request for a node until it is given back; nodes that are paid for
already cost nothing. Attainment is the share of all requests, dropped ones included, within every SLO of their model.
Each scenario is a folder in `benchmarks/scenarios`: manifests as on a cluster, with profiles and prices of the
catalogue, and demand. Engines are truly faster or slower than their profiles, by 10% (sigma), and no policy knows by
how much.

The *bound* is what must be paid at least, whoever decides: minute by minute the proven lower bound of the integer
programme with that minute's true demand and true speeds, no start-up, no minimum stay, the share that may miss the SLO
spent where it saves most. [The simulator's page](simulator.md#the-bound) says why nothing can be cheaper. Where a run
kept the SLO for less than its bound all the same, its scenario here says so.

What Plimsoll pays over the bound is told *by station*, minute by minute the cheapest bill with one thing more as
Plimsoll had it: *chance* is the minute's own demand with nobody left out, at true safe rates without bursts;
*sizing* safe rates as the plan had them (profiles, corrections, bursts, headroom); *forecast* demand as it was
forecast; *planning* the nodes that the plan wanted; *rollout* the nodes on the bill (start-ups, stabilisation, nodes
that wait to be removed). A station may take something off: too little was forecast, or a move had not been made yet.

Baselines are reimplemented from what is published of them, a file each in `operator/plimsoll/simulator/policies`.
Those that scale one workload run on the variant that is cheapest for the peak; a model that nobody asks in the whole
run has its one replica all the same, since nobody knew. Each is swept: the table shows it as it comes, and at its
*best* setting (the figure behind the equals sign is its target). Every setting is tried on the first seed; of those
that keep the SLO there the cheapest is played on all seeds, then the next, until one keeps it in their mean. Where
none keeps it on the first seed, the one that comes *nearest* is shown. "The cheapest baseline" is the cheapest of
those in the table.

Where a scenario has more than one model, *worst model* is the share of that which has the lowest, taken in each seed:
goals are about the share of all requests, which hides what a model with few of them misses.

Figures are means over seeds, and ± is from the lowest to the highest of them. Shares are cut off, not rounded: 99.99%
is not all.
"""

PLAYED = {
    "azure-week": ("One day of the week, the third: a week takes hours to play under every policy."),
    "mixed-fleet": ("Twelve hours of the day, for the same reason."),
    "long-tail": (
        "Two hours. GPUs are shared by time-slicing; MIG is the same extended resource to every policy here."
    ),
}
"""What was played of it."""

WHY = {
    "azure-conv": (
        "An hour is mostly start. Until requests under load have confirmed a profile, which takes the first half "
        "of it, more of each safe rate is left unused than later (sizing); demand is planned for as nine in ten "
        "minutes will have it, five minutes ahead, and comes back down only after ten (forecast, rollout). The "
        "cheapest baseline is itself well above the bound, at a setting that was found by hindsight."
    ),
    "azure-code": (
        "Prompts of thousands of tokens come in bursts of seconds and wait for each other: what keeps their p99 "
        "idles most of the time. The bound knows no bursts within a minute, so that it is far below what anybody "
        "can pay. What Plimsoll buys for a burst is there minutes after it, and stays for the next one (forecast "
        "and rollout are most of the excess). No policy keeps the SLO at any setting."
    ),
    "azure-week": (
        "Every station takes its part. Chance is half of it; sizing is the headroom that stays once profiles "
        "are confirmed; forecast is the margin for what may come while a node boots; rollout is nodes that boot, "
        "and that wait to be given back. The cheapest baseline, at a setting found by hindsight, leaves so little "
        "above the bound that 15% under it is hardly possible. What remains: margins that follow what a miss "
        "costs."
    ),
    "mixed-fleet": (
        "Two models of 70B have variants on H100 alone: one such node of eight for all the time is nearly all that "
        "the cheapest baseline pays, and 30% under that is less than the node. What Plimsoll pays above it is a "
        "second such node for an hour or two, for minutes a third. Half of that time the plan itself fits on one: a "
        "model that moves to replicas of two GPUs, or grows while another shrinks, starts the new beside the old, and "
        "the node that this takes stays until it has been empty for ten minutes. The rest is answers of fifteen "
        "thousand tokens in the last half hour, which several such replicas are started for. Played and not cheaper "
        "at the same attainment: lengths that are followed down as quickly as up, surplus replicas that leave early "
        "for those that need their place, and lengths that count only when their requests have ended."
    ),
    "homogeneous": (
        "How many replicas, and nothing else: what is left unused once the profile is confirmed, and the margin "
        "for what may come, keep each replica a little longer than the baseline does, which does without either."
    ),
    "burst": (
        "Nearly all that is missed is missed in the first burst, which nobody can foresee and no GPU can answer "
        "for six minutes; the later ones find what was kept for them. Where the Xeons that are paid for carry all "
        "the demand until then, none is left to bridge. It would take a price for leaving nothing quick free, or "
        "a policy that states how much demand may rise at once. `static` is sized for the highest minute of the "
        "very run."
    ),
    "spot-storm": (
        "The bound knows when storms come, and has what it needs the minute after. Plimsoll has to hold what one "
        "storm leaves (headroom on spot nodes is never given up: sizing), and pays for nodes that boot, on spot "
        "and on demand. It is the cheapest of those compared that keep the SLO all the same."
    ),
}
"""By scenario, the first of its goal: why it is missed, and what remains."""
