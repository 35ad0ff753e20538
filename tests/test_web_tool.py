"""The tool for language models, asked by a real MCP client."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from browsing import served
from conftest import application
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from bot.pipeline import Assistant
from bot.settings import Server

QUESTION = "does acupuncture help low back pain"


@pytest.fixture(scope="module")
def tools(assistant):
    own = assistant.settings.model_copy(update={"server": Server(mcp=True)})
    with served(application(Assistant(own, assistant.retriever))) as address:
        yield f"{address}/gradio_api/mcp/"


def call(address, use):
    async def talk():
        async with (
            streamable_http_client(address) as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            return await use(session)

    return asyncio.run(talk())


def test_there_is_one_tool_and_it_says_what_it_is_for(tools):
    (tool,) = call(tools, lambda session: session.list_tools()).tools
    assert tool.name.endswith("ask")
    assert "quote" in tool.description
    assert set(tool.inputSchema["properties"]) == {"question"}


def test_it_answers_as_the_page_does(tools, assistant):
    said = call(tools, lambda session: session.call_tool("ask", {"question": QUESTION}))
    assert not said.isError
    for sentence in assistant.answer(QUESTION).sentences:
        assert sentence.text in said.content[0].text


def test_without_the_setting_there_is_none(address):
    sent = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    assert httpx.post(f"{address}/gradio_api/mcp/", json=sent).status_code in (404, 405)
