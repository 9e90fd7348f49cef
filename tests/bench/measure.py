#!/usr/bin/env python3
"""Measures the connector and its two floors; scripts/bench builds what it needs and calls it.

For the job (settle lane, pages of 1,000) and the query (live lane, pages of 100), each time in one run beside the floors: records a second,
CPU, peak memory, transactions; then the same again with a SIGKILL in the middle: how soon something new is committed, and that nothing was
lost or repeated. At last the live lane beside a service that grows: how long after it may be read a window is committed. Exit codes: 0 measured and correct, 1 not, 6 measured, but records are lost or repeated.
"""

import argparse
import datetime
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
TICKS = os.sysconf("SC_CLK_TCK")
PARTITIONS = 3
READY_SECONDS = 60
RUN_SECONDS = 600
LATENCY_WINDOWS = 20
LATENCY_EVERY = 1.0
LATENCY_DELAY = 0.5
# The fixture starts a broker that is up soon; one that runs for long compiles what is hot.
BROKER_JVM = "-XX:TieredStopAtLevel=4 -Xmx1g"

SCENARIOS = {
    "job": {"page_size": 1000, "window_seconds": 86400, "windows": 4, "title": "job pages of 1,000 records",
            "lanes": {"live": "off", "settle": "{poll_initial: 10ms}"}},
    "query": {"page_size": 100, "window_seconds": 60, "per_window": 500, "title": "query pages of 100 records",
              "lanes": {"live": "{every: 1m, delay: 30s}", "settle": "off"}},
}


class Failure(Exception):
    pass


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def instant(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def free_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


class Process:
    """A child with its log; dead at the latest when the object is closed."""

    def __init__(self, name, arguments, folder, environment=None):
        self.name = name
        self.log = folder / f"{name}.log"
        self.stream = self.log.open("ab")
        self.child = subprocess.Popen([str(argument) for argument in arguments], stdin=subprocess.DEVNULL, stdout=self.stream,
                                      stderr=subprocess.STDOUT, env={**os.environ, **(environment or {})}, start_new_session=True)

    def text(self):
        return self.log.read_text(errors="replace")

    def check(self):
        if self.child.poll() is not None:
            raise Failure(f"the {self.name} ended with {self.child.returncode}:\n{self.text()[-3000:]}")

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.child.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def peak_kib(self):
        return int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{self.child.pid}/status").read_text()).group(1))

    def kill(self):
        self.child.kill()
        self.child.wait()

    def stop(self, grace=30):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(grace)
            except subprocess.TimeoutExpired:
                self.kill()
        self.stream.close()
        return self.child.returncode


def wait_until(condition, process, seconds, what):
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        process.check()
        if time.monotonic() > deadline:
            raise Failure(f"{what} did not happen within {seconds} s:\n{process.text()[-3000:]}")
        time.sleep(0.01)


def last_json_line(command):
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"{command[0]} failed: {done.stderr.strip()}")
    return json.loads(done.stdout.splitlines()[-1])


class Ledgers:
    """What commit_watch has printed so far about one lane."""

    def __init__(self, watch, lane):
        self.watch = watch
        self.lane = lane
        self.read = 0
        self.entries = []

    def refresh(self):
        with self.watch.log.open("rb") as log:
            log.seek(self.read)
            data = log.read()
        complete = data[: data.rfind(b"\n") + 1]
        self.read += len(complete)
        for line in complete.splitlines():
            entry = json.loads(line)
            if f'"lane":"{self.lane}"' in entry["key"]:
                self.entries.append((entry["seconds"], json.loads(entry["value"])))
        return self.entries

    def complete_until(self):
        self.refresh()
        if not self.entries:
            return ""
        ledger = self.entries[-1][1]
        for interval in ledger.get("complete", []):
            start, end = interval.split("/")
            if start <= ledger["start"] <= end:
                return end
        return ""


class Bench:
    def __init__(self, options, folder):
        self.options = options
        self.folder = folder
        self.build = ROOT / options.build
        self.count = 0
        self.processes = []

    def start(self, name, arguments, environment=None):
        process = Process(name, arguments, self.folder, environment)
        self.processes.append(process)
        return process

    def stop(self, process):
        status = process.stop()
        self.processes.remove(process)
        return status

    def close(self):
        for process in reversed(self.processes):
            process.stop()

    def start_broker(self):
        directory = self.folder / "broker"
        self.broker = self.start("broker", [ROOT / "tests/support/kafka/broker", "--directory", directory], {"_JAVA_OPTIONS": BROKER_JVM})
        announced = directory / "bootstrap"
        wait_until(announced.exists, self.broker, READY_SECONDS, "the broker's start")
        self.bootstrap = announced.read_text().strip()

    def start_simulator(self, scenario):
        records = self.options.records
        if scenario == "job":
            # Whole days, all of them over: the job's windows are UTC days.
            today = datetime.datetime.now(datetime.timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
            self.data_start = today - datetime.timedelta(days=SCENARIOS["job"]["windows"])
            self.data_end = today
            spacing = SCENARIOS["job"]["windows"] * 86_400_000 // records
        else:
            spacing = 60_000 // SCENARIOS["query"]["per_window"]
            length = datetime.timedelta(milliseconds=spacing * records)
            minutes = -(-length // datetime.timedelta(minutes=1))
            end = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=2)).replace(second=0, microsecond=0)
            self.data_start = end - datetime.timedelta(minutes=minutes)
            self.data_end = end
        self.simulator = self.start(f"simulator-{scenario}", [
            self.build / "tests/simulator/genesys-simulator", "--fixed-pages", "--start", instant(self.data_start), "--spacing", f"{spacing}ms",
            "--conversations", records, "--rate", 0, "--lake-lag", "0ms", "--job-queued", "0ms", "--job-time", "1ms", "--no-gzip"])
        ready = wait_until(lambda: re.search(r'\{"listening".*\}', self.simulator.text()), self.simulator, READY_SECONDS, "the simulator's start")
        self.service = json.loads(ready.group(0))["listening"]

    def download_floor(self, scenario):
        plan = SCENARIOS[scenario]
        self.page = self.folder / f"{scenario}.page.json"
        found = last_json_line([self.build / "tests/bench/download_floor", "--url", self.service, "--form", scenario, "--start",
                                instant(self.data_start), "--end", instant(self.data_end), "--window-seconds", plan["window_seconds"],
                                "--page-size", plan["page_size"], *([] if self.page.exists() else ["--save-page", self.page])])
        return self.rates(found, found["bytes"])

    def producer_floor(self, scenario):
        self.count += 1
        found = last_json_line([self.build / "tests/bench/producer_floor", "--bootstrap", self.bootstrap, "--topic", f"floor-{self.count}",
                                "--page", self.page, "--partitions", PARTITIONS, "--records", self.options.records])
        return self.rates(found, found["bytes"])

    def rates(self, found, size):
        records = self.options.records
        return {"records_per_second": records / found["seconds"], "megabytes_per_second": size / found["seconds"] / 1e6,
                "cpu_seconds_per_million": found["cpu_seconds"] / records * 1e6, "peak_mib": found["peak_kib"] / 1024, "seconds": found["seconds"]}

    def write_configuration(self, name, lanes):
        # Not followed: read by its id, a record of a fixed page is another one.
        secret = self.folder / "secret"
        secret.write_text("simulator-secret")
        self.metrics_port = free_port()
        file = self.folder / f"{name}.yaml"
        extra = "".join(f"  {line}\n" for line in self.options.kafka)
        file.write_text(f"""\
name: {name}
genesys:
  api_url: {self.service}
  login_url: {self.service}
  client_id: simulator-client
  client_secret: ${{file:{secret}}}
  budget: {{share: 1.0, assumed_requests_per_minute: 1000000}}
kafka:
  bootstrap_servers: {self.bootstrap}
  topics: {{replication_factor: 1}}
{extra}streams:
  conversations:
    definition: conversation-details
    start: {instant(self.data_start)}
    topic: {{partitions: {PARTITIONS}}}
    live: {lanes["live"]}
    follow: off
    settle: {lanes["settle"]}
metrics: {{listen: "127.0.0.1:{self.metrics_port}"}}
""")
        return file

    def metric(self, pattern):
        text = urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10).read().decode()
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if re.match(pattern, line))

    def connector_run(self, scenario, kill_after_commit=None):
        """One whole run over the data set; with kill_after_commit it is killed once the ledger has got that far, and started again at once."""
        self.count += 1
        name = f"bench{self.count}"
        lane = {"job": "settle", "query": "live"}[scenario]
        configuration = self.write_configuration(name, SCENARIOS[scenario]["lanes"])
        watch = self.start(f"{name}-watch", [self.build / "tests/bench/commit_watch", "--bootstrap", self.bootstrap, f"{name}-offsets"])
        ledgers = Ledgers(watch, lane)
        command = [self.build / "connector/genesys-kafka", "run", "--config", configuration]
        broker_before = self.broker.cpu_seconds()
        simulator_before = self.simulator.cpu_seconds()
        connector = self.start(f"{name}-connector", command)
        result = {}
        if kill_after_commit is not None:
            wait_until(lambda: ledgers.refresh() and ledgers.entries[-1][1]["commit"] >= kill_after_commit, connector, RUN_SECONDS, "half of the work")
            killed = time.monotonic()
            connector.kill()
            old = ledgers.entries[-1][1]["incarnation"]
            connector = self.start(f"{name}-connector-again", command)
            first_new = wait_until(lambda: [at for at, ledger in ledgers.refresh() if ledger["incarnation"] != old], connector, RUN_SECONDS, "the return")
            result["back_after_kill_seconds"] = first_new[0] - killed
        until = instant(self.data_end)
        wait_until(lambda: ledgers.complete_until() >= until, connector, RUN_SECONDS, "the end of the data set")
        cpu = connector.cpu_seconds()
        result["peak_mib"] = connector.peak_kib() / 1024
        begun = ledgers.entries[0][0]
        ended = ledgers.entries[-1][0]
        if kill_after_commit is None:
            records = self.options.records
            size = self.metric("genesys_kafka_published_bytes_total")
            transactions = self.metric('genesys_kafka_transactions_total{.*outcome="committed"')
            result.update(records_per_second=records / (ended - begun), megabytes_per_second=size / (ended - begun) / 1e6,
                          cpu_seconds_per_million=cpu / records * 1e6, seconds=ended - begun, transactions=transactions,
                          commits=ledgers.entries[-1][1]["commit"],
                          broker_cpu_seconds_per_million=(self.broker.cpu_seconds() - broker_before) / records * 1e6,
                          simulator_cpu_seconds_per_million=(self.simulator.cpu_seconds() - simulator_before) / records * 1e6)
        status = self.stop(connector)
        if status != 0:
            raise Failure(f"the connector ended with {status}:\n{connector.text()[-3000:]}")
        self.stop(watch)
        result["correct"] = self.is_correct(f"{name}.conversations")
        return result

    def is_correct(self, topic):
        """Every record of the data set once, as a read_committed consumer counts them."""
        done = subprocess.run([str(self.build / "tests/support/kafka/topic_tail"), "--bootstrap", self.bootstrap, "--wait", "30", "count", topic],
                              stdout=subprocess.PIPE, text=True, check=True)
        counted = dict(re.findall(r"(\w+)=(\d+)", done.stdout))
        correct = int(counted["records"]) == self.options.records == int(counted["keys"])
        if not correct:
            say(f"{topic}: {self.options.records} records were served, found are {counted}")
        return correct

    def measure_latency(self):
        """From the instant at which a live window may be read (its end and the delay) until a read_committed reader sees it complete."""
        self.data_start = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
        self.simulator = self.start("simulator-latency", [self.build / "tests/simulator/genesys-simulator", "--start", instant(self.data_start),
                                                          "--spacing", "20ms", "--duration", "500ms", "--rate", 0])
        ready = wait_until(lambda: re.search(r'\{"listening".*\}', self.simulator.text()), self.simulator, READY_SECONDS, "the simulator's start")
        self.service = json.loads(ready.group(0))["listening"]
        live = f"{{every: {LATENCY_EVERY * 1000:.0f}ms, delay: {LATENCY_DELAY * 1000:.0f}ms}}"
        configuration = self.write_configuration("latency", {"live": live, "settle": "off"})
        watch = self.start("latency-watch", [self.build / "tests/bench/commit_watch", "--bootstrap", self.bootstrap, "latency-offsets"])
        ledgers = Ledgers(watch, "live")
        clock = time.time() - time.monotonic()
        connector = self.start("latency-connector", [self.build / "connector/genesys-kafka", "run", "--config", configuration])
        # The first windows are what the start has missed.
        wait_until(lambda: len(ledgers.refresh()) >= LATENCY_WINDOWS + 5, connector, RUN_SECONDS, "the windows")
        waits = []
        for seen, ledger in ledgers.entries[5:]:
            end = datetime.datetime.fromisoformat(ledger["complete"][-1].split("/")[1].replace("Z", "+00:00")).timestamp()
            waits.append(seen + clock - end - LATENCY_DELAY)
        for process in (connector, watch, self.simulator):
            self.stop(process)
        return {"windows": len(waits), "median_seconds": statistics.median(waits), "largest_seconds": max(waits), "load": os.getloadavg()[0]}

    def measure(self, scenario):
        self.start_simulator(scenario)
        self.download_floor(scenario)  # warms the simulator up
        self.producer_floor(scenario)  # … and the broker's compiler
        rounds = []
        for number in range(self.options.repeat):
            say(f"{SCENARIOS[scenario]['title']}: round {number + 1} of {self.options.repeat}, load {os.getloadavg()[0]:.1f}")
            one = {"load": os.getloadavg()[0], "download": self.download_floor(scenario), "producer": self.producer_floor(scenario)}
            one["connector"] = self.connector_run(scenario)
            one["killed"] = self.connector_run(scenario, kill_after_commit=one["connector"]["commits"] // 2)
            rounds.append(one)
        self.stop(self.simulator)
        return rounds


def median(rounds, part, field):
    return statistics.median(one[part][field] for one in rounds)


def report(results):
    lines = []
    for scenario, rounds in results["scenarios"].items():
        lines.append(f"\n{SCENARIOS[scenario]['title']}: {results['records']} records, medians of {len(rounds)} rounds, load "
                     f"{min(one['load'] for one in rounds):.1f} to {max(one['load'] for one in rounds):.1f}")
        lines.append(f"  {'':24}{'records/s':>12}{'MB/s':>8}{'CPU s/million':>15}{'peak MiB':>10}")
        for part, title in (("download", "floor: download"), ("producer", "floor: bare producer"), ("connector", "connector")):
            lines.append(f"  {title:24}{median(rounds, part, 'records_per_second'):12,.0f}{median(rounds, part, 'megabytes_per_second'):8,.0f}"
                         f"{median(rounds, part, 'cpu_seconds_per_million'):15.1f}{median(rounds, part, 'peak_mib'):10.1f}")
        slower = statistics.median(one["connector"]["records_per_second"] / min(one[part]["records_per_second"] for part in ("download", "producer")) for one in rounds)
        cpu = statistics.median(one["connector"]["cpu_seconds_per_million"] / sum(one[part]["cpu_seconds_per_million"] for part in ("download", "producer")) for one in rounds)
        back = [one["killed"]["back_after_kill_seconds"] for one in rounds]
        peak = max(max(one["connector"]["peak_mib"], one["killed"]["peak_mib"]) for one in rounds)
        correct = all(one[part]["correct"] for one in rounds for part in ("connector", "killed"))
        lines.append(f"  of the slower floor's rate: {slower:.0%} (target at least 60%)")
        lines.append(f"  of the floors' CPU together: {cpu:.2f} times (target at most 2)")
        lines.append(f"  largest peak of memory: {peak:.1f} MiB (target under 96)")
        lines.append(f"  transactions: {median(rounds, 'connector', 'transactions'):.0f}; beside it the broker used "
                     f"{median(rounds, 'connector', 'broker_cpu_seconds_per_million'):.1f}, the simulator "
                     f"{median(rounds, 'connector', 'simulator_cpu_seconds_per_million'):.1f} CPU s/million")
        lines.append(f"  SIGKILL to the next commit: {statistics.median(back):.2f} s ({min(back):.2f} to {max(back):.2f}); "
                     f"{'nothing lost, nothing repeated' if correct else 'RECORDS LOST OR REPEATED'}")
    if "latency" in results:
        latency = results["latency"]
        lines.append(f"\nlive windows of {LATENCY_EVERY:.0f} s, from the instant they may be read until they are committed and visible: median "
                     f"{latency['median_seconds'] * 1000:.0f} ms, largest of {latency['windows']} {latency['largest_seconds'] * 1000:.0f} ms")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="20,000 records, one round")
    parser.add_argument("--records", type=int, help="of the data set (100,000)")
    parser.add_argument("--repeat", type=int, help="rounds (3)")
    parser.add_argument("--scenario", choices=SCENARIOS, action="append", help="only this one; repeatable")
    parser.add_argument("--kafka", action="append", default=[], metavar="'KEY: VALUE'", help="a line for the connector's `kafka` section; repeatable")
    parser.add_argument("--build", default="build/release", help=argparse.SUPPRESS)
    parser.add_argument("--results", default="build/bench/results.json", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.records = options.records or (20_000 if options.quick else 100_000)
    options.repeat = options.repeat or (1 if options.quick else 3)

    folder = pathlib.Path(tempfile.mkdtemp(prefix="gk-bench-"))
    bench = Bench(options, folder)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
    results = {"records": options.records, "repeat": options.repeat, "machine": f"{os.cpu_count()} cores, Linux {os.uname().release}",
               "kafka": options.kafka, "scenarios": {}}
    try:
        bench.start_broker()
        for scenario in options.scenario or SCENARIOS:
            results["scenarios"][scenario] = bench.measure(scenario)
        if not options.scenario:
            results["latency"] = bench.measure_latency()
    except Failure as failure:
        say(str(failure))
        return 1
    except KeyboardInterrupt:
        return 7
    finally:
        bench.close()
        shutil.rmtree(folder, ignore_errors=True)
    file = ROOT / options.results
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(results, indent=1) + "\n")
    print(report(results))
    say(f"written: {options.results}")
    correct = all(one[part]["correct"] for rounds in results["scenarios"].values() for one in rounds for part in ("connector", "killed"))
    return 0 if correct else 6


if __name__ == "__main__":
    sys.exit(main())
