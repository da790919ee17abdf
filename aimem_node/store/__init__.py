"""Keeps what ops say: one SQLite file, one writer, a few readers.

store      an open data directory; begin here
writer     the one thread that writes, in groups, and what happens when the disk fails
readers    the threads that read, each read within its budget
session    what can be written in a transaction; `take` is the one door for ops
view       what can be read at one moment
listing    filters, orders and pages
fulltext   ranked search, planned by how common words are; matching: all that match; words
projection what is shown of a record, as a row
rows       the values that are handed out
database   the lock, the file, its settings; schema: the tables and the steps to them
backup     snapshots and the way back; verify: whether the file is what its log says
"""
