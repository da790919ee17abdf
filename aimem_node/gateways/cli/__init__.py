"""The command `aimem`: the contract for people and scripts, over the node's unix socket."""
