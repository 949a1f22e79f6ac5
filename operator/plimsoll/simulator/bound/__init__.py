"""The clairvoyant bound: what must be paid at least, whoever decides?

In: an `Episode`, whole; the share of requests that may miss their SLO. Out: US dollars that no policy gets below
while it keeps the SLO for the others. Minute by minute the proven lower bound of an integer programme (whole
replicas, whole nodes) with that minute's true demand and true safe rates, no start-up, no minimum stay.

Why nothing can be cheaper. Each step gives away, none takes:

1. Demand (``demand``). A minute counts with the lowest mean demand of any five minutes around it, in engine time and
   not in requests, so neither a minute that chance made busy nor one of long requests counts for more than what a
   fleet that carries the rate for long has to carry. Requests that one minute leaves to the next are in the mean of
   both.
2. Capacity (``misses``). A replica may be loaded in any way, also past its percentiles: at each rate it misses what it
   misses when the run's own requests come steadily, without bursts, and every miss counts, whatever the quantile of the
   limit. Behind a router that chooses by chance that is a lone replica; behind any other one it is one of so many as
   the slowest variant would need alone. Each variant gets the rate that suits it, however its router shares.
3. Misses. The share that may miss is for all models, variants and minutes together, and goes where it saves most: to
   replicas that carry more or are cheap and slow, or to requests that nobody takes. It is priced: for every price m of
   a miss, sum over minutes of min(cost + m x misses) - m x allowance is a lower bound (Lagrangian duality), and the
   highest of them is taken.
4. Nodes (``programme``). A minute pays for the nodes that its replicas fill, added up by resource: how they pack is
   not looked at. Whole nodes for whole minutes are no loss for any policy, although the bill goes by the second: a
   node is on it while it boots and while it waits to be removed, minutes in which it serves nobody, and so for at
   least as many whole minutes as it serves in. Nodes that are paid for cost nothing, stock-outs and interruptions do
   not happen.
5. Rounding. Demand is rounded down so that like minutes are solved once, of each solve the proven bound counts, and
   between two rates that were played a replica is credited with the misses of the lower one.

What it stands on: that no router looks at the lengths of requests, so that those that come to a variant are like all
others; that nodes boot and stay for at least as long as the two minutes in which they serve in part. It is a bound for
the share of all requests together, as runs are judged: where models differ, that may be kept by one that misses far
more than its own percentile, and the bound is then far below what a policy pays that keeps every model's.

Array names end in their axes: m for minutes.
"""

from plimsoll.simulator.bound.least_cost import Bound, least_cost

__all__ = ["Bound", "least_cost"]
