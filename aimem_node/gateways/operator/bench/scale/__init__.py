"""`make bench-scale`: what a thousand times as many memories cost.

The same node, the same questions, the same kind of text at each size. Filling a store with a
million memories takes most of the time, so filled stores are kept and every measurement works on
a copy.
"""
