"""The one door between outside shapes and values."""

from aimem_node.contract import codec, values


def test_everything_a_gateway_needs_is_behind_one_door() -> None:
    for name in codec.__all__:
        assert callable(getattr(codec, name))


def test_three_forms_say_the_same() -> None:
    memory = values.Memory(id="x", metadata={"b": 1, "a": [None]}, created_at=1, tags=("t",))
    through_json = codec.from_json(values.Memory, codec.loads(codec.dumps(codec.to_json(memory))))
    assert codec.from_wire(values.Memory, codec.to_wire(memory)) == through_json == memory
