"""The explorer asked rubbish: never a 500, never a traceback, no answer that grows with what was asked.

Questions are drawn with a seed; each is judged by one law, in `judged`. How many there were is counted at the end of
each test, so that a generator that makes nothing cannot pass.
"""

from __future__ import annotations

import json
import random
import re
import socket
import string
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest

import vizflow as vf

pytest.importorskip("dash")

from vizflow.viz import explorer
from vizflow.viz.explorer import engine
from vizflow.viz.explorer.engine import Engine

DIMS = ["a_bin", "side", "Größe", "名前" * 40, "x%25,:&=", "<b>&quot;"]
PANELS = ["total", "heat", "curve", "series", "table"]
MOST = 1 << 20  # bytes of an answer about the few cells below
PYTHON = re.compile(r"\b[A-Z]\w*(Error|Exception|Warning|Panic)\b|Traceback|File \"")


@pytest.fixture(scope="module")
def app() -> Any:
    rng = random.Random(1)
    days = {}
    for date in ("20240102", "20240103", "20240105"):
        keys: dict[str, list[Any]] = {
            "a_bin": [rng.choice([-2, -1, 0, 3, None]) for _ in range(60)],
            "side": [rng.choice(["B", "S", "", None, "%", "%25", "a,b", "∅", "x" * 300]) for _ in range(60)],
            DIMS[2]: [rng.choice([1, 0]) for _ in range(60)],
            DIMS[3]: [rng.choice([1, 2, 2**53 + 1, 2**63 - 1]) for _ in range(60)],
            DIMS[4]: [rng.choice(["<script>", "&quot;", "'"]) for _ in range(60)],
            DIMS[5]: [rng.randrange(3) for _ in range(60)],
        }
        rows = pl.DataFrame(keys).with_columns(v=pl.Series([rng.gauss(0, 1) for _ in range(60)]))
        metrics = {"n": pl.len(), "mean": pl.col("v").mean(), "日": pl.col("v").max()}
        days[date] = vf.aggregate(rows.lazy(), DIMS, metrics)
    return explorer.app(days, title="день-" + "長" * 60)


# ---- what is asked --------------------------------------------------------------------------------------------


def text(rng: random.Random) -> str:
    return rng.choice([
        "", " ", "\x00", "∅", "a_bin", "date", "__proto__", "n", "'", '"', "%", "%25", "%zz", "../../etc/passwd",
        "<script>alert(1)</script>", "&quot;", "𝕏" * 5, "\ud800", "é" * 300, "x" * 5_000, "1e999", "NaN", "-0",
        "\n\r\n",
        "".join(rng.choices(string.printable, k=rng.randrange(12))), *DIMS,
    ])  # fmt: skip


def scalar(rng: random.Random) -> Any:
    return rng.choice([
        None, True, False, 0, -0.0, -1, 1, 2**31, 2**53 + 1, 2**63, -(2**63), 10**400, 1e308, 0.5, 1e999, -1e999,
        float("nan"), text(rng),
    ])  # fmt: skip


def anything(rng: random.Random, depth: int = 0) -> Any:
    if depth > 3 or rng.random() < 0.6:
        return scalar(rng)
    if rng.random() < 0.5:
        return [anything(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {text(rng): anything(rng, depth + 1) for _ in range(rng.randrange(4))}


RIGHT: dict[str, Any] = {
    "x": "a_bin", "y": "side", "metric": "mean", "by": DIMS[2], "dates": ["20240102", "20240105"], "min": 1,
    "where": {"a_bin": [-1, 2], "side": ["B", "∅"]}, "sort": "n", "descending": False, "panels": PANELS, "have": {},
}  # fmt: skip


def question(rng: random.Random) -> Any:
    """Return a right question with something wrong in it, or nothing but rubbish."""
    if rng.random() < 0.1:
        return anything(rng)
    asked = json.loads(json.dumps(RIGHT))
    for _ in range(rng.randrange(1, 3)):
        place = rng.choice([*asked, text(rng)])
        asked[place] = {
            "where": lambda: {rng.choice([*DIMS, text(rng)]): anything(rng) for _ in range(rng.randrange(1, 4))},
            "panels": lambda: rng.choice([PANELS * rng.randrange(1, 50), [anything(rng)], anything(rng)]),
            "dates": lambda: [rng.choice(["20240102", "99999999", "00000000", text(rng)]) for _ in range(2)],
            "have": lambda: {rng.choice([*PANELS, text(rng)]): anything(rng)},
        }.get(place, lambda: anything(rng))() if rng.random() < 0.6 else anything(rng)  # fmt: skip
    return asked


def body(rng: random.Random) -> bytes:
    spelled = json.dumps(question(rng), ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
    spelled = re.sub(rb"-?\bInfinity\b", rb"1e999", spelled) if rng.random() < 0.5 else spelled
    kind = rng.random()
    if kind < 0.08:  # cut, or a byte changed
        at = rng.randrange(len(spelled) + 1)
        return spelled[:at] + bytes([rng.randrange(256)]) * rng.randrange(2) + spelled[at + rng.randrange(2) :]
    if kind < 0.12:
        n = rng.choice([50, 5_000, 60_000])
        return rng.choice([b"[" * n, b'{"where":' * (n // 4), b'{"x":' + b"[" * n + b"]" * n + b"}"])
    if kind < 0.14:
        return b'{"where":' + b" " * 300_000 + b"{}}"
    if kind < 0.17:
        return rng.choice(
            [b"", b"\xff\xfe{", b"\x00", b"null", b"[]", b'"x"', b"1" * 6_000, b"{}" + b"\n" * 9, b"\xef\xbb\xbf{}"]
        )
    return spelled


def headers(rng: random.Random) -> dict[str, str]:
    out = {}
    if rng.random() < 0.1:
        out["Origin"] = rng.choice([
            "http://[", "null", "", "http://localhost", "http://localhost:99999999", "//", "http://é", "http://[::1",
            "x:" * 999,
        ])  # fmt: skip
    if rng.random() < 0.05:
        out["Host"] = rng.choice(
            ["[", "]", "localhost:x", "[::1", "127.0.0.1:99999999", "a" * 3_000, "é", "@", "localhost@evil"]
        )
    if rng.random() < 0.1:
        out["Content-Type"] = rng.choice(["", "text/xml", "application/json; charset=nope", "multipart/form-data", "é"])
    if rng.random() < 0.05:
        out["Content-Encoding"] = rng.choice(["gzip", "br", "nope"])
    return out


def judged(got: Any, seen: Counter[str]) -> None:
    """Hold an answer to the law: refused in words or answered in strict JSON, and short either way."""
    seen[str(got.status_code)] += 1
    data = got.get_data()
    said = data.decode(errors="replace")  # an export may be Parquet
    assert got.status_code < 500, said[:500]
    assert len(data) <= MOST
    if got.status_code >= 400:
        assert PYTHON.search(said) is None, said[:500]
        assert len(data) < 3_000, said[:500]
    elif got.mimetype == "application/json" and data:  # HEAD has none
        found = json.loads(said, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
        for panel in found.get("panels", {}).values() if isinstance(found, dict) else ():
            assert PYTHON.search(panel.get("error", "")) is None, panel["error"]
            assert "error" in panel or "mark" in panel
            seen["panels"] += 1


def test_two_thousand_questions(app: Any, caplog: pytest.LogCaptureFixture) -> None:
    rng, seen = random.Random(20), Counter[str]()
    client = app.server.test_client()
    for _ in range(1_500):
        judged(client.post("/_vizflow/answer", data=body(rng), headers=headers(rng)), seen)
    for _ in range(300):
        view = json.dumps(question(rng)) if rng.random() < 0.7 else text(rng)
        kind = rng.choice(["csv", "csv", "parquet", "xlsx", "", "%00", "é"])
        path = f"/_vizflow/export.{kind}"
        judged(client.get(path, query_string={"view": view.encode("utf-8", "replace")}, headers=headers(rng)), seen)
    for _ in range(200):
        path = "/" + rng.choice([
            "", "_vizflow/", "_vizflow/about", "_vizflow/answer", "_vizflow/plotly.jsx", "_dash-layout",
            "_dash-dependencies",
            "_dash-update-component", "_dash-component-suites/dash/../../x", "assets/../page.py",
            "assets/%2e%2e/page.py", "%", "%25", "%ff%fe", "//", "..%2f", "_reload-hash",
            "_vizflow/answer/" + "x" * 5_000,
        ])  # fmt: skip
        method = rng.choice(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "NOPE"])
        with client.open(path, method=method, data=body(rng), headers=headers(rng)) as got:
            judged(got, seen)
    assert [record.getMessage() for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")] == []
    assert sum(n for name, n in seen.items() if name != "panels") == 2_000
    assert seen["200"] > 200
    assert seen["400"] > 800
    assert seen["panels"] > 500
    assert client.post("/_vizflow/answer", json=RIGHT).status_code == 200


def test_answers_that_are_kept_have_a_limit(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_CACHE_BYTES", 20_000)
    rows = pl.DataFrame({"k": list(range(50)) * 2, "s": ["a", "b"] * 50, "v": [1.0] * 100})
    frame = vf.aggregate(rows.lazy(), ["k", "s"], {"n": pl.len(), "m": pl.col("v").mean()})
    kept = Engine(explorer.source.CubeSource.of(frame, units=None, title=None))
    for least in range(200):
        kept.answer({"min": least, "panels": PANELS * 100})
        assert kept._cached <= 20_000
        assert kept._cached == sum(map(len, kept._cache.values()))


# ---- through a socket -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def port(app: Any) -> Iterator[int]:
    waitress = pytest.importorskip("waitress")
    server = waitress.create_server(app.server, host="127.0.0.1", port=0, threads=4)
    running = threading.Thread(target=server.run, daemon=True)
    running.start()
    yield server.effective_port
    server.close()
    running.join(10)


def spoken(port: int, data: bytes) -> bytes:
    """Send bytes, say no more, and read what comes."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
        try:
            line.sendall(data)
            line.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it hung up: what it said may still be there
        out = b""
        try:
            while chunk := line.recv(1 << 16):
                out += chunk
        except ConnectionResetError:
            pass
        return out


def test_a_socket_that_talks_rubbish(port: int) -> None:
    rng, seen = random.Random(30), Counter[str]()
    for _ in range(150):
        method = rng.choice(["GET", "POST", "POST", "POST", "PUT", "G\x00T", "", "get"])
        target = rng.choice([
            "/_vizflow/answer", "/_vizflow/answer", "/_vizflow/answer", "/_vizflow/export.csv?view=%", "/?f.side=%25",
            "/_vizflow/export.csv?view=%7B%22x%22:%22%ff%22%7D", "*", "http://evil/", "/%", "",
            "/" + "a" * 300_000, "/é",
        ])  # fmt: skip
        data = body(rng)
        length = rng.choice([str(len(data))] * 20 + ["-1", "x", "99999999999999999999", "0", ""])
        more = rng.choice(
            [*[[]] * 9, ["Transfer-Encoding: chunked"], ["A: " + "b" * 300_000], ["Origin: http://["], ["\x00: "]]
        )
        lines = [f"{method} {target} HTTP/1.1", rng.choice(["Host: localhost"] * 8 + ["Host: [", "H"]),
                 f"Content-Length: {length}", *more, ""]  # fmt: skip
        answer = spoken(port, "\r\n".join([*lines, ""]).encode("utf-8", "replace") + data)
        status = re.match(rb"HTTP/1\.[01] (\d{3})", answer)
        seen[status[1].decode() if status else "nothing"] += 1
        # 501: a method or coding that the server does not have; it says so itself.
        assert status is None or status[1] < b"500" or status[1] == b"501", answer[:500]
        assert b"Traceback" not in answer
        assert len(answer) <= MOST
    assert seen["400"] > 20
    assert seen["200"] + seen["403"] + seen["421"] > 10
    right = json.dumps(RIGHT).encode()
    last = spoken(
        port, b"POST /_vizflow/answer HTTP/1.0\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(right) + right
    )
    assert last.startswith(b"HTTP/1.0 200")
