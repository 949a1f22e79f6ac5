"""What do the figures of a simulation look like to somebody who has to decide? One HTML file that needs nothing else.

In: results of scenarios, and what is known beside them (`Background`). Out: the page as text: no request to any host,
works from a folder. Figures are those of the JSON, which the page carries along; minutes are thinned so that a week
stays below `MOST_BYTES`. Never here: a file, a clock, a figure that is computed anew.

- ``background``: what a page may know besides results.
- ``standing``: which policies keep the goal, and which setting speaks for each.
- ``against_bound``: what the bound says of a policy, and whether it is one.
- ``wording``: numbers. ``verdict``: the first paragraph, for a tired reader. ``table``: the table to copy.
- ``thinning``, ``series``, ``moves``: what is drawn over time. ``excess``: where the money above the bound went.
- ``page``: everything put together.
- ``assets``: style sheet and scripts. Charts are drawn in the reader's browser, so that they fit its width: libraries
  that draw as much (Bokeh, Plotly, Vega) put one to four megabytes of script into each file.
"""

from plimsoll.simulator.report.background import GOAL, Background
from plimsoll.simulator.report.page import page
from plimsoll.simulator.report.thinning import MOST_BYTES

__all__ = ["GOAL", "MOST_BYTES", "Background", "page"]
