"""The page as it is served: its policy, its caching, and that it holds all it asks for and nothing from elsewhere."""

from __future__ import annotations

import re

import httpx
import pytest
from fastapi import FastAPI

from gateway import page_api, problems
from gateway.page_api import FOLDER, INDEX, is_open, page

pytestmark = pytest.mark.unit


@pytest.fixture
def http() -> httpx.AsyncClient:
    app = FastAPI()
    app.include_router(page_api.router)
    problems.install(app, 1)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1")


def test_the_files_ask_only_for_what_is_there() -> None:
    files = page().files
    text = {name: content.decode() for name, (content, kind) in files.items()}
    for name, content in text.items():
        for imported in re.findall(r'from "\./([^"]+)"', content):
            assert imported in files, f"{name} imports {imported}"
    linked = re.findall(rf'{FOLDER}{page().version}/([^"]+)"', text[INDEX])
    assert {"app.js", "base.css", "views.css", "mark.svg"} <= set(linked) <= files.keys()
    assert "{{" not in text[INDEX]


def test_nothing_comes_from_elsewhere_and_nothing_is_written_into_the_markup() -> None:
    for name, (content, _) in page().files.items():
        text = content.decode().replace("http://www.w3.org/2000/svg", "")
        addresses = [url for url in re.findall(r"https?://[^\s\"'`)]+", text) if "tus.io" not in url]
        assert all(url.startswith(("https://or", "http://localhost")) for url in addresses), (name, addresses)
        assert "eval(" not in text
        assert "innerHTML" not in text
    index = page().files[INDEX][0].decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)", index)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=", index)


async def test_the_index_is_asked_about_each_time_and_the_rest_kept(http: httpx.AsyncClient) -> None:
    index = await http.get("/")
    assert index.status_code == 200
    assert index.headers["cache-control"] == "no-cache"
    assert index.headers["content-type"] == "text/html; charset=utf-8"
    policy = index.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert index.headers["x-content-type-options"] == "nosniff"
    again = await http.get("/", headers={"If-None-Match": index.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""
    script = await http.get(f"{FOLDER}{page().version}/app.js")
    assert "immutable" in script.headers["cache-control"]
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    head = await http.head("/")
    assert head.status_code == 200
    assert head.content == b""


async def test_a_version_of_another_gateway_is_served_and_not_kept(http: httpx.AsyncClient) -> None:
    other = await http.get(f"{FOLDER}0123456789abcdef/app.js")
    assert other.status_code == 200
    assert other.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("name", ["nothing.js", INDEX, "..%2Fpage_api.py", "%2e%2e/auth.py"])
async def test_what_is_no_file_of_the_page_is_not_there(http: httpx.AsyncClient, name: str) -> None:
    assert (await http.get(f"{FOLDER}{page().version}/{name}")).status_code == 404


def test_only_the_page_is_open() -> None:
    assert is_open("/")
    assert is_open(f"{FOLDER}x/app.js")
    assert not is_open("/v1/jobs")
    assert not is_open("/pages")
