"""The clairvoyant bound: what must be paid at least, whoever decides?

In: an `Episode`, whole; the share of requests that may miss their SLO. Out: US dollars that no policy gets below
while it keeps the SLO for the others. Minute by minute the proven lower bound of an integer programme (whole
replicas, whole nodes) with that minute's true demand and true safe rates, no start-up, no minimum stay.

Why nothing can be cheaper. Each step gives away, none takes:

1. Demand (``demand``). A minute counts with the lowest mean demand of any five minutes around it, in engine time and
   not in requests, so neither a minute that chance made busy nor one of long requests counts for more than what a
   fleet that carries the rate for long has to carry. Requests that one minute leaves to the next are in the mean of
   both.
2. Capacity (``capacity``). A replica carries what its true profile carries as one of so many as the minute would need
   of its variant alone, at steady arrivals without bursts, with each latency at its quantile: it may miss there
   already.
3. Misses. The share that may miss is taken once more, by leaving out requests where that saves most, over all models
   and minutes together. It is priced: for every price m of a miss, sum over minutes of min(cost + m x misses) - m x
   allowance is a lower bound (Lagrangian duality), and the highest of them is taken.
4. Nodes (``programme``). A minute pays for the nodes that its replicas fill, added up by resource: how they pack is
   not looked at. Whole nodes for whole minutes are no loss for any policy, although the bill goes by the second: a
   node is on it while it boots and while it waits to be removed, minutes in which it serves nobody, and so for at
   least as many whole minutes as it serves in. Nodes that are paid for cost nothing, stock-outs and interruptions do
   not happen.
5. Rounding. Demand is rounded down so that like minutes are solved once, and of each solve the proven bound counts.

Where it is none: attainment counts requests over all variants and minutes, and step 2 counts what each replica carries
within its own quantile. A replica past its safe rate, or of a variant that misses the quantile even for a lone request,
has most of its requests within the SLO all the same; where others miss next to none, all together may keep the share
for less. It takes a variant whose misses are few and whose price is far lower; seen with small nodes that are paid for.
To close it, capacity must be told with the misses that go with it.

Array names end in their axes: m for minutes.
"""

from plimsoll.simulator.bound.least_cost import Bound, least_cost

__all__ = ["Bound", "least_cost"]
