"""What a replica decides, and nothing it does.

Everything here is a function of values: no clock, no disk, no network, no chance. The surprising
truth is that this is enough to say what a memory *is*: a record's state is a pure function of the
set of ops seen, so two machines that have seen the same ops agree without ever talking about it.

dot        who made an op, and which one it is
op         the op, its bytes, and its hash
edit       what an edit op says
change     a wish, before it is stamped
lamport    the number that orders conflicts
log        one origin's hash chain: extend it, take it in, check it
cursor     how far each log has been taken in
state      all un-overwritten versions of one record, and their row
merge      ops to state, in any order
display    state to the one thing a reader sees
digest     state to a sum two replicas can compare
limits     every bound, with its reason
faults     every way a peer can be wrong, with what to do next
"""
