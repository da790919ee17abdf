"""What is printed, at a terminal and into a pipe."""

import io

from aimem_node.gateways.demo.screen import Screen, Tone


def test_in_a_pipe_the_screen_prints_plain_lines_of_bounded_width() -> None:
    out = io.StringIO()
    screen = Screen(out, {"TERM": "xterm-256color"})
    screen.line(("✓ ", Tone.GOOD), "x" * 500)
    with screen.bar("taking in", 3) as moved:
        moved(3)
    (line,) = out.getvalue().splitlines()
    assert "\x1b" not in line
    assert len(line) <= 100
    assert line.endswith("…")
