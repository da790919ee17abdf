"""Keeps what ops say: one SQLite file, one writer, a few readers.

store      an open data directory; begin here
writer     the one thread that writes, in groups, and what happens when the disk fails
readers    the threads that read, each read within its budget
session    what can be written in a transaction; `take` and `take_run` are the one door for ops
folding    ops to records; fresh: the short way of a new one; shelf: their rows; ledger: the sums
index      the full-text index as the writer keeps it; schema_text: what it consists of
view       what can be read at one moment
travelling ops and answers as they leave; answers: the first answer to a request, beside its op
truncation gives up the bodies of old ops
listing    filters, orders and pages
fulltext   ranked search, planned by how common words are; matching: all that match
words      what is searched for, and what the index is given; scripts: how the world writes
projection what is shown of a record, as a row
rows       the values that are handed out
database   the lock, the file, its settings; schema: the tables and the steps to them
backup     copies of the file and the way back
snapshot   the store for another member; prepared: what is checked of one; install: the swap
verify     whether the file is what its log says; repair: make it so
vectors    what a vector is; vector_writes, view_vectors: what is written and told of them
vector_search  the nearest of those wanted; vector_index: the thread that keeps the index, one
           vector_space per model, made of parts (vector_part, vector_file) and a tail
"""
