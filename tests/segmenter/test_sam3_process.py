"""SAM 3 in a process of its own: planes go in over shared memory, tasks share batches, whatever dies comes back."""

import os
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sam3_fake_server import Darkness
from sam3_kit import recording

from mesh.errors import BadParameters, Internal, MissingWeights, OutOfMemory, Unavailable
from segmenter.sam3 import process
from segmenter.sam3.batching import Batcher, Request
from segmenter.sam3.client import SOCKET, RemoteSam3, runs_here
from segmenter.sam3.messages import BrokenMessage, attach, receive, send, share
from segmenter.sam3.process import Sam3Process
from segmenter.sam3.server import Server

pytestmark = pytest.mark.unit

FAKE = Path(__file__).with_name("sam3_fake_server.py")
CLIP = recording(64, 48)


def pictures(count, width=64, height=48, seed=0):
    rng = np.random.default_rng(seed)
    half = ((height + 1) // 2, (width + 1) // 2)
    planes = [[rng.integers(0, 255, s).astype(np.uint8) for s in ((height, width), half, half)] for _ in range(count)]
    return [SimpleNamespace(y=y, u=u, v=v) for y, u, v in planes]


def same(found, expected):
    assert len(found) == len(expected)
    for one, other in zip((s for p in found for s in p), (s for p in expected for s in p), strict=True):
        np.testing.assert_array_equal(one.skin, other.skin)
        np.testing.assert_array_equal(one.instances, other.instances)
        np.testing.assert_array_equal(one.scores, other.scores)
        assert one.boxes.shape == other.boxes.shape


def fake(mode, **more):
    return Sam3Process(command=[sys.executable, str(FAKE), mode], **more)


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A server in this process, and the model behind it."""
    model = Darkness()
    server = Server(model, tmp_path / "s")
    monkeypatch.setenv(SOCKET, str(tmp_path / "s"))
    yield SimpleNamespace(model=model, server=server)
    server.close()


# --- shared memory


def test_arrays_cross_whole_and_what_the_reader_writes_stays_its_own():
    arrays = [np.arange(12, dtype=np.uint8).reshape(3, 4), np.arange(3, dtype=np.float32)]
    descriptor = share(arrays)
    other = os.dup(descriptor)
    seen = attach(descriptor, 24)
    np.testing.assert_array_equal(seen[:12], arrays[0].ravel())
    np.testing.assert_array_equal(seen[12:].view(np.float32), arrays[1])
    seen[:] = 7
    assert attach(other, 24)[0] == 0


def test_memory_that_could_shrink_or_is_too_small_is_not_mapped(tmp_path):
    with pytest.raises(BrokenMessage):
        attach(share([np.zeros(10, np.uint8)]), 11)
    unsealed = os.memfd_create("other", os.MFD_ALLOW_SEALING)
    os.ftruncate(unsealed, 100)
    with pytest.raises(BrokenMessage):
        attach(unsealed, 50)
    (tmp_path / "file").write_bytes(bytes(100))
    with pytest.raises(BrokenMessage):
        attach(os.open(tmp_path / "file", os.O_RDWR), 50)


def test_messages_that_are_cut_short_or_none():
    def exchange(data):
        ours, theirs = socket.socketpair()
        ours.sendall(data)
        ours.close()
        with theirs:
            return receive(theirs)

    assert exchange(b"") is None
    for broken in (b"\x01", b"\x09\x00\x00\x00{}", b"\xff\xff\xff\xff", b"\x02\x00\x00\x00[]", b"\x02\x00\x00\x00{x"):
        with pytest.raises(BrokenMessage):
            exchange(broken)


# --- the server


def test_a_request_is_answered_as_the_model_would(served):
    with RemoteSam3.connect() as remote:
        assert (remote.batch, remote.device, remote.name) == (4, "cpu", "darkness")
        for count in (1, 3, 9):
            same(
                remote.segment(pictures(count), CLIP, ["skin", "hand"]),
                Darkness().segment(pictures(count), CLIP, ["skin", "hand"], score=0.5, instances=8),
            )
        few = remote.segment(pictures(1), CLIP, score=0.85, instances=1)[0][0]
        assert few.scores.tolist() == [0.9]
        odd = recording(33, 21)
        assert remote.segment(pictures(2, 33, 21), odd)[0][0].skin.shape == (11, 17)


def test_a_prompt_that_cannot_be_understood_is_told(served):
    with RemoteSam3.connect() as remote:
        remote.check("Full Face")
        with pytest.raises(BadParameters, match="too long"):
            remote.check("x" * 21)
        remote.check("skin")  # the connection lives on


def test_requests_that_make_no_sense_harm_nobody(served):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.environ[SOCKET])
        for head in ({}, {"ask": "dance"}, {"ask": "segment", "count": 1}, {"ask": "check"}):
            send(connection, head)
            assert "failure" in receive(connection)[0]
        memory = share([np.zeros(10, np.uint8)])  # less than a picture
        head = {"ask": "segment", "recording": CLIP.model_dump(), "count": 1, "prompts": ["skin"], "score": 0.5}
        send(connection, head | {"instances": 8}, memory)
        assert receive(connection)[0]["failure"]["type"].endswith("internal")
        os.close(memory)
        connection.sendall(b"\xff\xff\xff\xff")  # then it is hung up
        assert connection.recv(1) == b""
    with RemoteSam3.connect() as remote:
        assert len(remote.segment(pictures(2), CLIP)) == 2


def test_one_that_is_killed_in_the_middle_harms_nobody(served):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(os.environ[SOCKET])
    connection.sendall(b"\x40\x00\x00\x00{")
    connection.close()
    with RemoteSam3.connect() as remote:
        assert len(remote.segment(pictures(1), CLIP)) == 1


# --- batches


class Slow(Darkness):
    """A device that is busy until it is let go on, and may lack memory."""

    def __init__(self, most=100):
        super().__init__()
        self.go, self.most = threading.Event(), most

    def segment(self, pictures, *rest, **more):
        if len(self.calls) == 0:
            self.calls.append(len(pictures))
            self.go.wait(10)
            self.calls.pop()
        if len(pictures) > self.most:
            self.calls.append(-len(pictures))
            raise OutOfMemory("even for one picture")
        return super().segment(pictures, *rest, **more)


def request(count, clip=CLIP, prompt="skin", seed=0):
    return Request(pictures(count, clip.width, clip.height, seed), clip, (prompt,), 0.5, 8)


def asked(model, requests):
    """All of them at once, while the device is busy with the first."""
    batcher = Batcher(model)
    with ThreadPoolExecutor(len(requests)) as pool:
        futures = []
        for number, one in enumerate(requests):
            futures.append(pool.submit(batcher.segment, one))
            while number == 0 and not model.calls:
                time.sleep(0.005)
            while number and len(batcher._waiting) < number:
                time.sleep(0.005)
        model.go.set()
        found = [(future.exception(), one.found) for future, one in zip(futures, requests, strict=True)]
    batcher.close()
    return found


def test_what_came_meanwhile_is_one_batch_where_it_is_of_one_kind():
    model = Slow()
    model.batch = 6
    other = recording(64, 48, rotation=90)
    requests = [
        request(2), request(3, seed=1), request(2, other, seed=2), request(3, seed=3), request(1, prompt="hand"),
        request(4, seed=4),
    ]  # fmt: skip
    found = asked(model, requests)
    assert model.calls == [2, 6, 2, 1, 4]
    for (error, answer), one in zip(found, requests, strict=True):
        assert error is None
        same(answer, Darkness().segment(one.pictures, one.recording, one.prompts, score=0.5, instances=8))


def test_one_that_does_not_fit_fails_alone():
    model = Slow(most=2)
    model.batch = 8
    found = asked(model, [request(1), request(3), request(2, seed=5)])
    assert model.calls == [1, -5, -3, 2]
    assert [type(error) for error, _ in found] == [type(None), OutOfMemory, type(None)]
    assert len(found[2][1]) == 2


# --- the process


def test_it_is_started_found_and_ended():
    assert not runs_here()
    with pytest.raises(MissingWeights, match="SAM3_WEIGHTS is not set") as caught:
        RemoteSam3.connect()
    assert "licence" in caught.value.hint
    one = fake("good")
    with one:
        assert one.ready
        assert one.description["name"] == "darkness"
        assert runs_here()
        with RemoteSam3.connect() as remote:
            assert len(remote.segment(pictures(5), CLIP)) == 5
        pid = one.pid
    assert not one.ready
    assert not runs_here()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_what_it_says_at_the_start_is_raised():
    with pytest.raises(MissingWeights, match="there are none") as caught:
        fake("missing").start()
    assert caught.value.hint == "get some"
    with pytest.raises(Unavailable, match="exit status 3"):
        fake("silent").start()
    assert not runs_here()


def test_after_an_error_of_the_device_it_comes_back(monkeypatch):
    monkeypatch.setattr(process, "FIRST_PAUSE_S", 0.05)
    with fake("dies") as one:
        with RemoteSam3.connect() as remote:
            assert len(remote.segment(pictures(1), CLIP)) == 1
            with pytest.raises(Unavailable) as caught:
                remote.segment(pictures(1), CLIP)
            assert caught.value.retryable
        until = time.monotonic() + 20
        while one.starts < 2 and time.monotonic() < until:
            time.sleep(0.02)
        assert one.starts == 2
        with RemoteSam3.connect() as remote:
            assert len(remote.segment(pictures(1), CLIP)) == 1


def test_while_it_is_away_a_task_is_tried_again(tmp_path, monkeypatch):
    monkeypatch.setenv(SOCKET, str(tmp_path / "gone"))
    with pytest.raises(Unavailable, match="started again") as caught:
        RemoteSam3.connect()
    assert caught.value.retryable


# --- the real classes


def test_the_real_model_in_its_process_and_out_of_memory(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch", reason="needs the extra sam3")
    pytest.importorskip("transformers", reason="needs the extra sam3")
    from segmenter.sam3.model import Sam3
    from segmenter.sam3.random_weights import TINY_IMAGE, tiny_configuration, write_random_weights
    from segmenter.sam3.settings import Sam3Settings

    torch.set_num_threads(1)
    write_random_weights(tmp_path / "weights", tiny_configuration())
    given = {"SAM3_WEIGHTS": str(tmp_path / "weights"), "SAM3_IMAGE_SIZE": str(TINY_IMAGE), "SAM3_DEVICE": "cpu"}
    more = {"SAM3_BATCH": "4", "OMP_NUM_THREADS": "1"}
    for name, value in (given | more).items():
        monkeypatch.setenv(name, value)
    sam3 = Sam3.load(Sam3Settings())
    expected = sam3.segment(pictures(3), CLIP, score=0.0)
    with Sam3Process(environment=given | more) as one:
        assert one.description == sam3.description
        with RemoteSam3.connect() as remote:
            found = remote.segment(pictures(3), CLIP, score=0.0)
            for (a,), (b,) in zip(found, expected, strict=True):
                np.testing.assert_allclose(a.skin, b.skin, atol=1e-5)
                np.testing.assert_allclose(a.scores, b.scores, atol=1e-5)
            with pytest.raises(BadParameters, match="tokens"):
                remote.check("a" * 60)
    server = Server(sam3, tmp_path / "s")  # the same here, where memory can be made short
    monkeypatch.setenv(SOCKET, str(tmp_path / "s"))
    encode = sam3._model.get_vision_features
    most = 1

    def cramped(pixels):
        if len(pixels) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return encode(pixels)

    monkeypatch.setattr(sam3._model, "get_vision_features", cramped)
    with RemoteSam3.connect() as remote:
        found = remote.segment(pictures(3), CLIP, score=0.0)
        assert remote.batch == 1  # halved, and it is told
        np.testing.assert_allclose(found[2][0].skin, expected[2][0].skin, atol=1e-5)
        most = 0
        with pytest.raises(OutOfMemory, match="even for one picture"):
            remote.segment(pictures(2), CLIP)
        most = 4
        assert len(remote.segment(pictures(2), CLIP)) == 2  # it lives on
    server.close()


def test_missing_weights_are_told_at_the_start(monkeypatch, tmp_path):
    monkeypatch.delenv("SAM3_WEIGHTS", raising=False)
    with pytest.raises(MissingWeights) as caught:
        Sam3Process(environment={"SAM3_WEIGHTS": str(tmp_path / "nowhere")}).start()
    assert not isinstance(caught.value, Internal)
    assert caught.value.hint
