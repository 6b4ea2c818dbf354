"""Weights: what is missing is said, with the steps to obtain it, before anything is loaded."""

import json
import pickle
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mesh.errors import MissingWeights, from_problem
from segmenter.sam3 import weights as module
from segmenter.sam3.settings import Sam3Settings
from segmenter.sam3.weights import check_folder, find_weights

pytestmark = pytest.mark.unit


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "sam3_video"}))
    (tmp_path / "model.safetensors").write_bytes(b"")
    (tmp_path / "tokenizer.json").write_text("{}")
    return tmp_path


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    for name in ("SAM3_WEIGHTS", "SAM3_TOKEN", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def refused(weights):
    with pytest.raises(MissingWeights) as caught:
        find_weights(Sam3Settings(weights=weights))
    failure = caught.value
    assert "SAM3_WEIGHTS" in failure.hint
    assert "licence" in failure.hint
    assert failure.status == 503
    assert not failure.recording_at_fault
    back = from_problem(failure.problem())
    assert (type(back), back.detail, back.hint) == (MissingWeights, failure.detail, failure.hint)
    assert pickle.loads(pickle.dumps(failure)).hint == failure.hint
    return failure.detail


def test_a_complete_folder_is_taken(folder, monkeypatch):
    monkeypatch.setenv("SAM3_WEIGHTS", str(folder))
    found = find_weights(Sam3Settings())
    assert (found.folder, found.model_type) == (folder, "sam3_video")


def test_a_token_comes_from_the_environment_and_is_never_shown(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_something")
    settings = Sam3Settings()
    assert settings.token.get_secret_value() == "hf_something"
    assert "hf_something" not in repr(settings)


def test_nothing_named_and_nothing_there(tmp_path):
    assert "not set" in refused(None)
    assert "not set" in refused("  ")
    assert "neither" in refused("nonsense")
    assert "neither" in refused("../weights/of mine")
    assert "neither" in refused(str(tmp_path / "absent" / "deeper"))
    (tmp_path / "sam3.pt").write_bytes(b"")
    assert "names a file" in refused(str(tmp_path / "sam3.pt"))
    assert "Meta's own form" in refused(str(tmp_path))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: (folder / "config.json").unlink(), "config.json"),
        (lambda folder: (folder / "config.json").write_text("{"), "does not describe"),
        (lambda folder: (folder / "config.json").write_text("[]"), "does not describe"),
        (lambda folder: (folder / "config.json").write_text('{"model_type": "bert"}'), "type bert"),
        (lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"), "safetensors"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "tokenizer"),
        (
            lambda folder: (folder / "model.safetensors.index.json").write_text(
                json.dumps({"weight_map": {"a": "model.safetensors", "b": "model-00002.safetensors"}})
            ),
            "model-00002",
        ),
    ],
)
def test_an_incomplete_folder_says_what_is_missing(folder, change, said):
    change(folder)
    assert said in refused(str(folder))


def test_a_tokenizer_in_two_files_will_do(folder):
    (folder / "tokenizer.json").rename(folder / "vocab.json")
    with pytest.raises(MissingWeights):
        check_folder(folder)
    (folder / "merges.txt").write_text("")
    assert check_folder(folder).folder == folder


def test_without_the_libraries_that_is_said(monkeypatch):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingWeights, match="torch and transformers") as caught:
        find_weights(Sam3Settings(weights="facebook/sam3"))
    assert "extra" in caught.value.hint


def test_a_hub_that_cannot_be_reached(monkeypatch, tmp_path):
    constants = pytest.importorskip("huggingface_hub.constants", reason="needs the extra sam3")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    assert "could not be downloaded" in refused("facebook/sam3")


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [(401, "GatedRepo", "token is absent"), (403, "GatedRepo", "not been let in"), (404, "RepoNotFound", "no such")],
)
def test_what_the_hub_answers_is_told(monkeypatch, tmp_path, status, code, said):
    """A hub of our own, on this machine, that refuses as the real one does."""
    constants = pytest.importorskip("huggingface_hub.constants", reason="needs the extra sam3")
    asked = []

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.headers.get("authorization"))
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("content-length", "0")
            self.end_headers()

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
            monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
            monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
            monkeypatch.setenv("HF_TOKEN", "hf_of_a_test")
            assert said in refused("facebook/sam3")
        finally:
            server.shutdown()
            thread.join()
    assert "Bearer hf_of_a_test" in asked
