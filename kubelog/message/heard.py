"""rows → those that the rules ask for, and how far each node's records had come at each: the feed's leaf."""

from __future__ import annotations

from array import array

from kubelog.ingest.block import NONE, Block

try:
    import cython
except ImportError:
    from kubelog import uncompiled as cython


class Listener:
    """Goes over the rows of a Block, and stops where an event is wanted or where more must be done than move a node's latest time.

    A node is a number, its place in `us` and `run_us`: how far its records came, and when the run began that goes on (see
    `Heard`). 0 stands for the records of which no node is known.
    """

    def __init__(self, block: Block, wanted: array[int], gap: int, late: int, year: int, back: int, ahead: int) -> None:
        self.rows = block.rows
        self.first, self.process, self.node_of, self.kind = block.first, block.process, block.node_of, block.kind
        self.time, self.since_year = block.time, block.since_year
        self.wanted = wanted  # of each wording, whether its event is
        self.gap, self.late = gap, late  # a longer stretch ends a run; a record that is later than that moves no run
        self.year, self.back, self.ahead = year, back, ahead  # as the clock has them, for moments of which no year is known
        # What the caller gives, and takes back.
        self.number_of = self.us = self.run_us = array("q", [NONE])  # of each of the Block's nodes its number
        self.node = 0  # of the records that name none
        self.fixed = False  # whether a record that names a node leaves that as it is
        self.moment, self.turned = NONE, 0  # of the row before, and µs of the New Years that were passed, where no year is known
        # Where it stopped.
        self.of = 0  # the row's node
        self.at = NONE  # when it was said; NONE also where it names the first node
        self.shift = 0  # what to add to its moment
        # Whether its event is wanted; else it begins a run or moves the beginning of one, or names the first node.
        self.asked = False

    def read(self, row: int) -> int:
        """Go on from a row; where it stopped, or the end."""
        with cython.nogil:
            row = self._read(row)
        return row

    def _read(self, row: int) -> int:
        while row < self.rows:
            process = self.process[self.first[row]]
            code = self.node_of[process] if process >= 0 else -1
            node = self.node if code < 0 else self.number_of[code]
            self.of, self.asked = node, False
            if node != self.node and not self.fixed:
                if self.node == 0 and self.us[0] != NONE:
                    self.at = NONE
                    return row
                self.node = node
            time = self.time[row]
            moment = NONE
            turned = shift = self.turned
            if time == NONE and self.since_year[row] != NONE:
                moment = time = self.since_year[row]
                if self.moment != NONE:
                    if moment < self.moment - self.back:
                        turned += self.year
                        shift = turned
                    elif moment > self.moment + self.ahead:
                        # A late one of the old year.
                        shift -= self.year
                        moment = NONE
                time += shift
            else:
                shift = 0
            self.at, self.shift = time, shift
            if time != NONE:
                us = self.us[node]
                if us == NONE or time > us + self.gap or (time < self.run_us[node] and time >= us - self.late):
                    return row
                if time > us:
                    self.us[node] = time
                if moment != NONE:
                    self.moment, self.turned = moment, turned
            if self.kind[row] >= 0 and self.wanted[self.kind[row]] != 0:
                self.asked = True
                return row
            row += 1
        return row
