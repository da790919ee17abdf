#!/bin/sh
# What Maelstrom's --bin wants: a program. It is started elsewhere, in an environment of its caller;
# so arguments of the node may also stand in AIMEM_MAELSTROM, separated by spaces.
root=$(dirname "$(readlink -f "$0")")/../..
cd "$root" || exit 2
python=.venv/bin/python
[ -x "$python" ] || python=python3
# exec, for Maelstrom ends the process that it has started and no other.
# shellcheck disable=SC2086
exec "$python" -m chaos.maelstrom $AIMEM_MAELSTROM "$@"
