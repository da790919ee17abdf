"""The bench's arithmetic and its report. What it measures is proved by running it."""



from aimem_node.gateways.demo import conversation
from aimem_node.gateways.operator.bench import programs

SAMPLE = conversation.load(conversation.SAMPLE)


def test_the_default_tool_list_is_weighed_as_compact_json() -> None:
    count, size = programs.tool_list([{"name": "é"}])
    assert (count.value, size.value) == (1, len('[{"name":"é"}]'.encode()))


