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

A member of a cluster is a function of what happens to it:

dataplane  step(now_us, event) -> effects: brings the rest together
events     what happens to it            effects    what it wants done
hearing    what follows from messages    knowledge  what it knows
messages   what members say              links      what is known of one of them
intake     take in logs: staged, durable quorum     count who holds a write
catchup    whom to ask for what          snapshot   when one may replace the state
stable     what may be forgotten         tokens     what a session has seen
reads      reads that wait for it        members    who belongs, by epoch
decree     agree on the next epoch       peers      how others stand to a write, in words
janitor    who expires what is old       divergence do equal ops make equal states?
bisect     where two histories part
"""
