"""The SDK is imported once, however many come first together."""

import asyncio
import sys
import threading
from types import ModuleType

import pytest

from aimem_node.contract.errors import Failure
from aimem_node.gateways import mcp_sdk
from aimem_node.gateways.mcp_sdk import PROFILES, McpSdk, read_profile


def test_first_clients_that_come_together_share_one_import(run, monkeypatch) -> None:
    imports = []

    def import_module(name):
        imports.append((name, threading.current_thread() is threading.main_thread()))
        return ModuleType(name)

    monkeypatch.setattr(mcp_sdk.importlib, "import_module", import_module)

    async def body():
        sdk = McpSdk()
        modules = await asyncio.gather(*(sdk.module() for _ in range(10)))
        return {id(module) for module in modules}

    assert len(run(body())) == 1
    assert imports == [("aimem_node.gateways.mcp_server", False)]


def test_a_failed_import_is_tried_again_for_the_next_client(run, monkeypatch) -> None:
    tries = []

    def import_module(name):
        tries.append(name)
        if len(tries) == 1:
            raise ImportError("disk")
        return ModuleType(name)

    monkeypatch.setattr(mcp_sdk.importlib, "import_module", import_module)

    async def body():
        sdk = McpSdk()
        with pytest.raises(ImportError):
            await sdk.module()
        await sdk.module()

    run(body())


def test_the_real_module_is_the_server(run) -> None:
    module = run(McpSdk().module())
    assert module is sys.modules["aimem_node.gateways.mcp_server"]


@pytest.mark.parametrize("profile", PROFILES)
def test_known_profiles_are_read(profile) -> None:
    assert read_profile(profile, "$") == profile


@pytest.mark.parametrize("profile", ["", "CORE", None, 1, ["core"], {}])
def test_another_profile_is_refused_with_the_known_ones(profile) -> None:
    with pytest.raises(Failure) as refused:
        read_profile(profile, "$.profile")
    assert refused.value.path == "$.profile"
    assert "core, standard, full" in refused.value.next
