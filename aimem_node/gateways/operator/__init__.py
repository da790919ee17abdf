"""The command `aimem-node`: run a node, look after it, find out what is wrong with it."""
