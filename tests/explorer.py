"""An explorer to test: served on a free port of this machine, asked without a browser."""

import http.client
import json
import threading
import time
from contextlib import contextmanager

import uvicorn

from metasim.explorer import growing
from metasim.explorer.server import Explorer, listen
from metasim.explorer.sessions import Base
from metasim.scenario.load import load


class Served:
    """An explorer that is served, and what it is asked."""

    def __init__(self, explorer, port):
        self.explorer = explorer
        self.port = port
        self.prefix = f"/{explorer.token}"
        self.url = f"http://127.0.0.1:{port}{self.prefix}/"

    def raw(self, method, path, body=None, headers=None, host=None):
        """Status, headers and body of what an address gives; `path` as it stands."""
        wire = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        wire.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        wire.putheader("Host", host or f"127.0.0.1:{self.port}")
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        for name, value in (headers or {}).items():
            wire.putheader(name, value)
        if data is not None and "Content-Length" not in (headers or {}):
            wire.putheader("Content-Length", str(len(data)))
        wire.endheaders(data)
        answer = wire.getresponse()
        out = answer.status, dict(answer.getheaders()), answer.read()
        wire.close()
        return out

    def ask(self, method, path, body=None):
        """Status and JSON of what the page would ask for."""
        status, _, data = self.raw(method, f"{self.prefix}/api/{path}", body)
        return status, json.loads(data)

    def page(self, scenario=None):
        """A new page."""
        status, found = self.ask("POST", "open", {"scenario": scenario})
        assert status == 200, found
        return Page(self, found)


class Page:
    """What a page does, without a browser."""

    def __init__(self, served, found):
        self.served = served
        self.found = found
        self.name = found["session"]

    def post(self, path, body=None):
        return self.served.ask("POST", f"s/{self.name}/{path}", {} if body is None else body)

    def get(self, path):
        return self.served.ask("GET", f"s/{self.name}/{path}")

    def file(self, path):
        return self.served.raw("GET", f"{self.served.prefix}/api/s/{self.name}/{path}")

    def run(self, changes=None, patients=300, wait=True):
        """Run; what came of it once it is over."""
        status, found = self.post("run", {"changes": changes or {}, "patients": patients})
        if status != 200:
            return found
        return self.over() if wait else found

    def over(self, seconds=60):
        until, seen, numbers = time.monotonic() + seconds, "", None
        while time.monotonic() < until:
            status, state = self.get(f"answer?{seen}")
            assert status == 200, state
            if "numbers" in state:
                numbers, seen = state["numbers"], f"job={state['job']}&version={state['version']}"
            if state["state"] in ("done", "stopped", "failed"):
                return {**state, "numbers": numbers}
            time.sleep(0.05)
        raise AssertionError(f"not over after {seconds} s: {state['state']}")


@contextmanager
def serving(scenario="luminal_a_surgery", changes=None, patients=None):
    """An explorer on a free port."""
    growing.FUNNEL_PATIENTS = 30  # to be quick
    explorer = Explorer(Base(scenario, load(scenario)), changes, patients)
    listening = listen(0)
    config = uvicorn.Config(
        explorer.app, log_level="error", access_log=False, lifespan="off", ws="none"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield Served(explorer, listening.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(10)
        explorer.close()
        listening.close()
