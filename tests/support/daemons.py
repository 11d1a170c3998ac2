"""Starts pmrelayd, pmrelay-sandbox and their company for tests, and looks at them from outside.

Everything listens on the loopback, on ports that the kernel chose; every process that is stopped
here was started here.  Tests are functions handed to run(); each states what it wants with
check().
"""

import atexit
import http.client
import json
import os
import re
import resource
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.parse

SOURCE = os.path.abspath(os.environ.get("top_srcdir", os.path.join(os.path.dirname(__file__), "../..")))
BUILD = os.path.abspath(os.environ.get("top_builddir", os.getcwd()))
TOKEN = "sandbox-server-token"
SKIP = 77


class Failure(Exception):
    """What a test wanted is not so."""


class Skip(Exception):
    """A test cannot run here."""


def check(right, why):
    if not right:
        raise Failure(why)


def sanitized():
    """Sanitizers multiply memory and time, so limits of both are not judged under them."""
    try:
        with open(os.path.join(BUILD, "config.h")) as f:
            return "#define WITH_SANITIZERS 1" in f.read()
    except OSError:
        return False


def program(name):
    """A built program; None when this tree did not build it."""
    path = os.path.join(BUILD, name)
    return path if os.access(path, os.X_OK) else None


def need(*names):
    for name in names:
        if program(name) is None:
            print("not built: %s" % name)
            sys.exit(SKIP)


def installed(name):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/lib/postfix/sbin")
    if path is None:
        raise Skip("%s is not installed" % name)
    return path


def need_open_build():
    """A tree below a folder that is closed to others, such as /root, runs nothing as them."""
    path = BUILD
    while path != "/":
        if not os.stat(path).st_mode & 0o001:
            raise Skip("%s is closed to other users" % path)
        path = os.path.dirname(path)


def free_port():
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, is_so, timeout_s=20, step_s=0.05):
    """What is_so() returned as soon as that is true."""
    end = time.monotonic() + timeout_s
    while True:
        found = is_so()
        if found:
            return found
        if time.monotonic() > end:
            raise Failure("not within %g s: %s" % (timeout_s, what))
        time.sleep(step_s)


# --- processes seen from outside ------------------------------------------------------------------


def stat_of(pid):
    """Fields of /proc/PID/stat after the name, or None: it is gone."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rpartition(")")[2].split()
    except (OSError, ValueError):
        return None


def over(pid):
    """Whether nothing of a process runs any more: one whose first thread has ended may hold its
    sockets as long as the others have not."""
    stat = stat_of(pid)
    if stat is None or stat[0] != "Z":
        return stat is None
    try:
        return len(os.listdir("/proc/%d/task" % pid)) <= 1
    except OSError:
        return True


def tree(pid):
    """pid and all that descends from it."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            stat = stat_of(int(name))
            if stat is not None and stat[0] != "Z":
                parents.setdefault(int(stat[1]), []).append(int(name))
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        todo += parents.get(one, [])
    return found


def cpu_seconds(pid):
    """Of the whole tree, with the children that have ended and were waited for."""
    ticks = 0
    for one in tree(pid):
        stat = stat_of(one)
        if stat is not None:
            ticks += sum(int(n) for n in stat[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def rss_bytes(pid):
    total = 0
    for one in tree(pid):
        try:
            with open("/proc/%d/statm" % one) as f:
                total += int(f.read().split()[1]) * resource.getpagesize()
        except (OSError, IndexError):
            pass
    return total


def pss_bytes(pid):
    total = 0
    for one in tree(pid):
        try:
            with open("/proc/%d/smaps_rollup" % one) as f:
                total += int(re.search(r"^Pss:\s*(\d+)", f.read(), re.M).group(1)) * 1024
        except (OSError, AttributeError):
            pass
    return total


def role_pid(relay, role):
    """The child of a relay whose name begins with "pmrelayd: ROLE", or None."""
    for pid in tree(relay.pid)[1:]:
        try:
            with open("/proc/%d/cmdline" % pid, "rb") as f:
                first = f.read().split(b"\0")[0].decode()
        except OSError:
            continue
        if first.startswith("pmrelayd: " + role):
            return pid
    return None


# --- programs -------------------------------------------------------------------------------------

running = []


def stop_all():
    for one in list(running):
        one.kill()


atexit.register(stop_all)


class Program:
    """One started program with its output in files of a folder."""

    def __init__(self, name, argv, folder, environment=None, before=None):
        self.name = name
        self.out_path = os.path.join(folder, name + ".out")
        self.log_path = os.path.join(folder, name + ".log")
        self.out_start, self.log_start = (os.path.getsize(path) if os.path.exists(path) else 0
                                          for path in (self.out_path, self.log_path))
        with open(self.out_path, "ab") as out, open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=log, preexec_fn=before,
                env=dict(os.environ, **(environment or {})))
        self.pid = self.process.pid
        running.append(self)

    def log(self):
        """What this process has logged; an earlier one of the same name does not count."""
        with open(self.log_path, "rb") as f:
            f.seek(self.log_start)
            return f.read().decode("utf-8", "replace")

    def output(self):
        with open(self.out_path, "rb") as f:
            f.seek(self.out_start)
            return f.read().decode("utf-8", "replace")

    def alive(self):
        return self.process.poll() is None

    def await_text(self, where, pattern, timeout_s=30):
        def found():
            match = re.search(pattern, where())
            check(match or self.alive(), "%s ended with %s: %s" % (
                self.name, self.process.returncode, where()[-2000:] + self.log()[-2000:]))
            return match
        return wait_for("%s says %s" % (self.name, pattern), found, timeout_s)

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, timeout_s=60):
        """TERM and its exit status."""
        if self.alive():
            self.signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failure("%s does not end %g s after SIGTERM" % (self.name, timeout_s)) from None
        if self in running:
            running.remove(self)
        return status

    def kill(self):
        if self.alive():
            children = tree(self.pid)[1:]
            self.process.kill()
            self.process.wait()
            for pid in children:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            # They are not our children, so waiting is looking; until then they hold the port.
            wait_for("the end of %s's children" % self.name, lambda: all(
                over(pid) for pid in children), 20, 0.01)
        if self in running:
            running.remove(self)


class Http:
    """JSON to and from a local HTTP port."""

    def __init__(self, port):
        self.port = port

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, None if body is None else json.dumps(body),
                           {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        check(answer.status == 200, "%s %s: %d %s" % (method, path, answer.status, text[:500]))
        return text

    def get(self, path):
        return json.loads(self.call("GET", path))


class Sandbox(Program, Http):
    """smtp: with Postmark's SMTP service, on smtp_port, verified by ca_file."""

    def __init__(self, folder, *options, smtp=False):
        need("pmrelay-sandbox")
        self.ca_file = os.path.join(folder, "smtp-ca.pem")
        if smtp:
            options += ("--smtp-port", "0", "--smtp-ca-file", self.ca_file)
        Program.__init__(self, "sandbox", [program("pmrelay-sandbox"), "--port", "0", *options], folder)
        match = self.await_text(self.output, r"listening on http://[^:]*:(\d+)")
        Http.__init__(self, int(match.group(1)))
        if smtp:
            match = self.await_text(self.output, r"listening on smtp://[^:]*:(\d+)")
            self.smtp_port = int(match.group(1))

    def smtp_settings(self):
        """Of a Relay, so that its SMTP items go here."""
        return {"postmark": {"smtp-url": "smtp://127.0.0.1:%d" % self.smtp_port, "ca-file": self.ca_file}}

    def source(self, message):
        """The bytes of a message that came by SMTP."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", "/sandbox/messages/%s/source" % message["MessageID"])
        answer = connection.getresponse()
        found = answer.read()
        connection.close()
        check(answer.status == 200, "no source of %s: %s" % (message["MessageID"], found[:200]))
        return found

    def counts(self):
        return self.get("/sandbox/counts")

    def messages(self):
        """All that was accepted, oldest first."""
        found = []
        while True:
            some = self.get("/sandbox/messages?limit=1000&offset=%d" % len(found))
            found += some
            if not some:
                return found

    def await_messages(self, count, timeout_s=30):
        """At least so many, and then all of them."""
        wait_for("%d messages at the sandbox" % count,
                 lambda: self.counts()["kept"] >= count, timeout_s)
        return self.messages()

    def await_subjects(self, wanted, timeout_s=30):
        """The messages with these subjects, in that order."""
        def found():
            by_subject = {m["Request"].get("Subject"): m for m in self.messages()}
            return all(s in by_subject for s in wanted) and [by_subject[s] for s in wanted]
        return wait_for("messages %s at the sandbox" % ", ".join(wanted), found, timeout_s)

    def faults(self, *rules):
        self.call("PUT", "/sandbox/faults", list(rules))

    def suppress(self, *addresses):
        self.call("PUT", "/sandbox/suppressions", list(addresses))

    def clear(self):
        self.call("PUT", "/sandbox/suppressions", [])
        self.call("DELETE", "/sandbox/faults")
        self.call("DELETE", "/sandbox/messages")


class HttpSink(Program, Http):
    def __init__(self, folder, delay_ms=0):
        need("tests/bench/http_sink")
        Program.__init__(self, "http_sink",
                         [program("tests/bench/http_sink"), "--delay-ms", str(delay_ms)], folder)
        match = self.await_text(self.output, r"listening on http://[^:]*:(\d+)")
        Http.__init__(self, int(match.group(1)))


def config_text(sections):
    """{"smtp": {"listen": [...], "recipients": 5}} as a configuration file."""
    def value(v):
        if isinstance(v, bool):
            return "yes" if v else "no"
        if isinstance(v, (list, tuple)):
            return "{" + ", ".join(value(one) for one in v) + "}"
        if isinstance(v, int):
            return str(v)
        return '"%s"' % v.replace("\\", "\\\\").replace('"', '\\"')
    text = ""
    for section, options in sections.items():
        text += "%s {\n" % section
        for key, v in options.items():
            text += "\t%s = %s\n" % (key, value(v))
        text += "}\n"
    return text


class UnixHTTPConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path, timeout_s=60):
        http.client.HTTPConnection.__init__(self, "localhost", timeout=timeout_s)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Answer:
    """What the control plane answered."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def lines(self):
        """Of an answer that streams."""
        return [json.loads(line) for line in self.body.splitlines() if line]

    @property
    def error(self):
        return self.json["error"]

    def __str__(self):
        return "%d %s" % (self.status, self.body[:500].decode("utf-8", "replace"))


class Relay(Program):
    """pmrelayd with settings for tests; settings are merged section by section over them."""

    def __init__(self, folder, postmark_port, settings=None, port=None, environment=None, wait=True,
                 before=None, more=""):
        need("pmrelayd")
        self.more = more  # as it stands in a file, after the settings
        self.folder = folder
        self.port = port or free_port()
        self.spool = os.path.join(folder, "spool")
        self.config_path = os.path.join(folder, "pmrelay.conf")
        self.control_path = os.path.join(folder, "control.sock")
        if len(self.control_path) > 100:  # a Unix socket's path ends at 107 bytes
            short = tempfile.mkdtemp(prefix="pmrelay-")
            atexit.register(shutil.rmtree, short, True)
            self.control_path = os.path.join(short, "control.sock")
        self.settings = {
            "process": {"hostname": "relay.test.example", "fronts": 2, "drain-timeout": "20s"},
            "smtp": {"listen": ["127.0.0.1:%d" % self.port]},
            "spool": {"folder": self.spool, "min-free": 0},
            "postmark": {"url": "http://127.0.0.1:%d" % postmark_port, "token": TOKEN},
            "retry": {"min": "200ms", "max": "2s", "settle": "200ms", "probe": "500ms"},
            "control": {"socket": self.control_path},
        }
        for section, options in (settings or {}).items():
            self.settings.setdefault(section, {}).update(options)
        self.spool = self.settings["spool"]["folder"]
        self.control_path = self.settings["control"]["socket"]
        os.makedirs(self.spool, 0o700, exist_ok=True)
        self.write_config(self.settings)
        Program.__init__(self, "pmrelayd", [program("pmrelayd"), "-f", "-c", self.config_path],
                         folder, environment, before)
        if wait:
            self.await_log("event=ready", 60)

    def write_config(self, settings):
        with open(self.config_path, "w") as f:
            os.chmod(self.config_path, 0o600)
            f.write(config_text(settings) + self.more)

    def await_log(self, pattern, timeout_s=30):
        return self.await_text(self.log, pattern, timeout_s)

    def await_sent(self, count, timeout_s=60):
        """So many items have their end, as far as this process knows."""
        wait_for("%d items sent" % count, lambda: self.log().count(" event=sent ") >= count, timeout_s)

    def smtp(self, timeout_s=60):
        return smtplib.SMTP("127.0.0.1", self.port, "client.test.example", timeout_s)

    def control_connection(self, timeout_s=60):
        return UnixHTTPConnection(self.control_path, timeout_s)

    def control(self, method, path, body=None, query=None, headers=None, timeout_s=120):
        """One request to the control plane: body is bytes, or a value that becomes JSON."""
        headers = dict(headers or {})
        if query:
            path += "?" + urllib.parse.urlencode(query, doseq=True)
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        connection = self.control_connection(timeout_s)
        try:
            connection.request(method, path, body, headers)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def ask(self, method, path, body=None, query=None, status=200):
        """The JSON of an answer that must have this status."""
        answer = self.control(method, path, body, query)
        check(answer.status == status, "%s %s: wanted %d, got %s" % (method, path, status, answer))
        return answer.json

    def ctl(self, *words, input=None, timeout_s=120):
        """pmrelayctl with these words: its status, output and error output."""
        need("pmrelayctl")
        done = subprocess.run(
            [program("pmrelayctl"), "--socket", self.control_path, "--json", *words],
            input=input, stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True, text=True, timeout=timeout_s)
        return done.returncode, done.stdout, done.stderr

    def again(self, postmark_port):
        """The same spool, port and settings once more, after the end of the first."""
        return Relay(self.folder, postmark_port, self.settings, self.port, more=self.more)


def load(relay_or_port, *options, wait=True, log=None):
    """The load generator; its result, or with wait=False the process (then load_result())."""
    need("tests/bench/smtp_load")
    port = getattr(relay_or_port, "port", relay_or_port)
    process = subprocess.Popen(
        [program("tests/bench/smtp_load"), "--json", "--target", "127.0.0.1:%d" % port]
        + [str(o) for o in options],
        stdout=subprocess.PIPE, stderr=log, text=True)
    return load_result(process) if wait else process


def load_result(process):
    out = process.communicate()[0]
    check(out.startswith("{"), "smtp_load ended with %d: %s" % (process.returncode, out))
    return json.loads(out)


class Wire:
    """SMTP by hand: bytes out, whole replies in."""

    def __init__(self, port, timeout_s=60):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout_s)
        self.file = self.socket.makefile("rb")

    def send(self, *lines):
        self.socket.sendall(b"".join(l if isinstance(l, bytes) else l.encode() + b"\r\n" for l in lines))

    def reply(self):
        """(code, text); (0, "") at the end of the connection."""
        text = []
        while True:
            line = self.file.readline()
            if not line.endswith(b"\n"):
                return 0, ""
            text.append(line[4:].decode("utf-8", "replace").rstrip("\r\n"))
            if line[3:4] != b"-":
                return int(line[:3]), "\n".join(text)

    def expect(self, code):
        got = self.reply()
        check(got[0] == code, "wanted %d, got %d %s" % ((code,) + got))
        return got[1]

    def ask(self, code, *lines):
        self.send(*lines)
        return self.expect(code)

    def hello(self):
        self.expect(220)
        return self.ask(250, "EHLO client.test.example")

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# --- running tests --------------------------------------------------------------------------------


def folder_new(prefix="test"):
    """A folder on the build's own file system, which is a disk more often than /tmp is."""
    folder = tempfile.mkdtemp(prefix="tmp-%s-" % prefix, dir=BUILD)
    os.chmod(folder, 0o755)
    return folder


def sanitizer_reports(folder):
    """What AddressSanitizer and its like wrote into the logs, leaks and races included."""
    found = []
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if name.endswith(".log") and os.path.isfile(path):
            with open(path, errors="replace") as f:
                text = f.read()
            at = re.search(r"==\d+==ERROR|runtime error:|ERROR: LeakSanitizer|"
                           r"WARNING: ThreadSanitizer", text)
            if at:
                found.append("%s: %s" % (name, text[at.start():at.start() + 3000]))
    return "\n".join(found)


def run(tests, prefix="test"):
    """Runs each function with a folder of its own; ends the program.  Names on the command line
    choose some of them.  What a failed one left behind stays to be looked at."""
    wanted = [a for a in sys.argv[1:] if not a.startswith("-")]
    failed = skipped = passed = 0
    for test in tests:
        name = test.__name__
        if wanted and name not in wanted:
            continue
        folder = folder_new(prefix)
        start = time.monotonic()
        try:
            test(folder)
            for one in list(running):
                if isinstance(one, (Relay, Sandbox)) and one.alive():
                    check(one.stop() == 0, "%s ended with %s" % (one.name, one.process.returncode))
            check(not sanitizer_reports(folder), sanitizer_reports(folder))
            print("ok    %s (%.1f s)" % (name, time.monotonic() - start), flush=True)
            passed += 1
        except Skip as why:
            print("skip  %s: %s" % (name, why), flush=True)
            skipped += 1
        except Exception as why:  # a test may fail in any way
            failed += 1
            print("FAIL  %s: %s" % (name, why), flush=True)
            if not isinstance(why, Failure):
                traceback.print_exc(file=sys.stdout)
            for one in running:
                if one.alive():
                    print("      last lines of %s:\n%s" % (one.name, one.log()[-3000:]))
            print("      left in %s" % folder, flush=True)
            stop_all()
            continue
        stop_all()
        shutil.rmtree(folder, ignore_errors=True)
    print("%d passed, %d failed, %d skipped" % (passed, failed, skipped))
    sys.exit(1 if failed else SKIP if skipped and not passed else 0)
