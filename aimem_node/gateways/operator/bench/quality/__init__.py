"""`make bench-recall`: does the right memory come back?

Conversations are stored through the public API of real nodes, as any client would, and every
question that was written about them is asked as it stands. Nothing here knows how recall works:
what it found is compared with what it should have found, and that is all.
"""
