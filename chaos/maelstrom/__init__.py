"""The core of a node behind Maelstrom's lines of JSON, so that Jepsen's workloads can be run on it.

wire        messages as lines, and what is wrong with a line
requests    what a workload asks for, as changes of records and as reads of them
store       logs and records in memory
replica     the core with that store behind it, and names for its members
node        one Maelstrom node: lines in, lines out, no clock and no chance of its own
__main__    stdin, stdout, the clock, and the chance that draws an incarnation
"""
