"""What duplicates are asked for in a measurement."""

from aimem_node.contract.values import StoreRequest
from aimem_node.gateways.operator.bench.curating import changed
from aimem_node.operations.similarity import shape, similarity


def test_a_changed_copy_is_alike_and_not_the_same() -> None:
    texts = [StoreRequest(title="Port", content="the service listens on port 8080 here")]
    (other,) = changed(texts)
    assert other.title == texts[0].title
    assert other.content != texts[0].content
    alike = similarity(*(shape(one.title, one.content) for one in (texts[0], other)))
    assert 0.4 < alike < 1
